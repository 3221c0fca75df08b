/** A homccd that is killed in each phase of a job, and started again: no job is lost, and nothing is left behind. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { startHeldLink } from "../../support/held-link.ts";
import { phases } from "../../support/job-phases.ts";
import { assertNoLeaks } from "../../support/leaks.ts";
import { recordSurvived } from "../../support/reliability.ts";
import { startServer } from "../../support/server.ts";
import { assertSameUnit, compilersStarted, unitCompile } from "../../support/unit-compile.ts";
import { createWorkplace } from "../../support/workplace.ts";

const options = { resultCache: true, options: ["--log-level", "DEBUG"], limit: 1 } as const;

for (const { name, cold = false, reach } of phases) {
  test(`the server is killed while ${name}`, async (t) => {
    await using first = await startServer(options);
    await using link = await startHeldLink(first.port);
    // Nothing may be compiled at home: what a server that is back does not compile is lost.
    await using workplace = await createWorkplace({ hosts: `${link.address}/4` });
    await writeFile(join(workplace.project, "other.cpp"), "int other;\n");
    if (!cold) assert.equal((await workplace.run(unitCompile("other"))).status, 0);
    const jobs = await reach({ server: first, link, workplace });
    const killedMs = performance.now();
    first.kill("SIGKILL");
    await first.ended;
    await using second = await startServer({ ...options, port: first.port, storeFolder: first.storeFolder });
    const downMs = performance.now() - killedMs;
    link.release();
    const results = await Promise.all(jobs.map(({ running }) => running.finished));
    assert.deepEqual(
      results.map(({ status, stderr }) => `${status} ${stderr}`),
      jobs.map(() => "0 "),
    );
    t.diagnostic(
      `down for ${Math.round(downMs)} ms, over ${Math.round(performance.now() - killedMs)} ms after the kill`,
    );
    for (const { unit } of jobs) await assertSameUnit(workplace, unit);
    await writeFile(join(workplace.project, "other.cpp"), "int other = 2;\n");
    const { status, stderr } = await workplace.run(unitCompile("other"));
    assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
    assert.equal(compilersStarted(second, "other.cpp"), 1);
    await assertSameUnit(workplace, "other");
    await assertNoLeaks({ servers: [second], workplaces: [workplace] });
    recordSurvived(`The server is killed and started again while ${name}`);
  });
}
