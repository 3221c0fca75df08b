/** An agent that is killed in each phase of a job: the build goes on, and nothing is left behind. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { startHeldLink } from "../../support/held-link.ts";
import { phases } from "../../support/job-phases.ts";
import { assertNoLeaks } from "../../support/leaks.ts";
import { agentsOf } from "../../support/processes.ts";
import { recordSurvived } from "../../support/reliability.ts";
import { startServer } from "../../support/server.ts";
import { assertSameUnit, unitCompile } from "../../support/unit-compile.ts";
import { createWorkplace } from "../../support/workplace.ts";

for (const { name, cold = false, reach } of phases) {
  test(`the agent is killed while ${name}`, async () => {
    await using server = await startServer({
      resultCache: true,
      options: ["--log-level", "DEBUG"],
      limit: 1,
    });
    await using link = await startHeldLink(server.port);
    // The launcher of an agent that is gone does its work, since it must not compile at home.
    await using workplace = await createWorkplace({ hosts: `${link.address}/4` });
    await writeFile(join(workplace.project, "other.cpp"), "int other;\n");
    if (!cold) assert.equal((await workplace.run(unitCompile("other"))).status, 0);
    const jobs = await reach({ server, link, workplace });
    const [agent, ...more] = agentsOf(workplace.homccFolder);
    assert.ok(agent !== undefined && more.length === 0);
    process.kill(agent.pid, "SIGKILL");
    link.release();
    const results = await Promise.all(jobs.map(({ running }) => running.finished));
    for (const { status, stderr } of results) assert.equal(status, 0, stderr);
    for (const { unit } of jobs) await assertSameUnit(workplace, unit);
    const before = (await workplace.jobs()).length;
    await writeFile(join(workplace.project, "other.cpp"), "int other = 2;\n");
    const { status, stderr } = await workplace.run(unitCompile("other"));
    assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
    assert.equal((await workplace.jobs(before + 1)).at(-1)?.outcome, "compiled-remotely");
    await assertSameUnit(workplace, "other");
    await assertNoLeaks({ servers: [server], workplaces: [workplace] });
    recordSurvived(`The agent is killed while ${name}`);
  });
}
