/** A launcher that is ended in each phase of its job: a whole object or none, and nothing that goes on or stays. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { startHeldLink } from "../../support/held-link.ts";
import { phases } from "../../support/job-phases.ts";
import { assertNoLeaks } from "../../support/leaks.ts";
import { recordSurvived } from "../../support/reliability.ts";
import { startServer } from "../../support/server.ts";
import { assertSameUnit, unitCompile } from "../../support/unit-compile.ts";
import { createWorkplace } from "../../support/workplace.ts";

for (const signal of ["SIGINT", "SIGTERM", "SIGKILL"] as const) {
  test(`the launcher ends by ${signal} in each phase of its job`, async () => {
    await using server = await startServer({
      resultCache: true,
      options: ["--log-level", "DEBUG"],
      limit: 1,
    });
    for (const { name, reach } of phases) {
      await using link = await startHeldLink(server.port);
      await using workplace = await createWorkplace({ hosts: `${link.address}/4` });
      const jobs = await reach({ server, link, workplace });
      for (const { running } of jobs) running.kill(signal);
      link.release();
      for (const { unit, running } of jobs) {
        const { signal: endedBy, status } = await running.finished;
        const object = join(workplace.project, `${unit}.o`);
        if (status !== 0) assert.equal(endedBy, signal, name);
        if (status === 0 || existsSync(object)) await assertSameUnit(workplace, unit);
      }
      await assertNoLeaks({ servers: [server], workplaces: [workplace] });
      recordSurvived(`The launcher ends by ${signal} in any phase of its job`, Math.max(jobs.length, 1));
      await writeFile(join(workplace.project, "next.cpp"), `int next; // ${name}\n`);
      const { status, stderr } = await workplace.run(unitCompile("next"));
      assert.deepEqual({ status, stderr }, { status: 0, stderr: "" }, name);
    }
  });
}
