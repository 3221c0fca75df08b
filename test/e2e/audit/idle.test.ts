/** Audits while nothing else happens: a real agent that takes this machine for an idle one. */
import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { StatusReport } from "@homcc/homcc/ask/status";
import { writeFiles } from "../../support/files.ts";
import { changeObject, startLyingServer } from "../../support/lying-server.ts";
import { createOwnMounts } from "../../support/own-mounts.ts";
import { agentsOf, endProcesses, processesMentioning } from "../../support/processes.ts";
import { recordSurvived } from "../../support/reliability.ts";
import { homccProgram } from "../../support/repository.ts";
import { startServer } from "../../support/server.ts";
import { slowSource } from "../../support/slow-source.ts";
import { waitFor } from "../../support/wait-for.ts";
import { createWorkplace, type Workplace } from "../../support/workplace.ts";

const waitMs = 120_000;
const files = {
  "a.c": '#include "h.h"\nint value(void) { return H; }\n',
  "h.h": "#define H 1\n",
  "slow.cpp": slowSource,
};
const variables = { HOMCC_AUDIT_RATE: "100", HOMCC_CLIENT_CACHE_SIZE: "64M" };

/** Calls in a mount namespace in which nothing waits for a processor. */
interface Idle extends AsyncDisposable {
  compile(...command: readonly string[]): Promise<string>;
}

async function idleMachine(workplace: Workplace): Promise<Idle> {
  const pressure = join(workplace.folder, "pressure");
  await writeFile(pressure, "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n");
  const mounts = await createOwnMounts({ "/proc/pressure/cpu": pressure });
  return {
    compile: async (...command) => {
      const words = mounts.words([homccProgram, ...command], workplace.project);
      const { status, stderr } = await workplace.run(words, {
        environment: workplace.environment(variables),
      });
      assert.equal(status, 0, stderr);
      return stderr;
    },
    [Symbol.asyncDispose]: () => mounts[Symbol.asyncDispose](),
  };
}

async function statusOf(workplace: Workplace): Promise<Exclude<StatusReport, { agent: null }>> {
  const { stdout } = await workplace.run([homccProgram, "status", "--json"]);
  const report: StatusReport = JSON.parse(stdout);
  assert(report.agent !== null);
  return report;
}

function isRunner({ commandLine }: { readonly commandLine: readonly string[] }): boolean {
  return commandLine.some((word) => word.endsWith("/local-run.mjs"));
}

test("every job is compiled again once nothing happens, whoever answered it, and nothing of that is left", async () => {
  await using server = await startServer({ resultCache: true });
  await using workplace = await createWorkplace({ hosts: `${server.address}/4` });
  await writeFiles(workplace.project, files);
  await using idle = await idleMachine(workplace);
  await idle.compile("gcc", "-O1", "-g", "-MD", "-c", "a.c", "-o", "a.o");
  await waitFor("a kept result", async () => {
    await idle.compile("gcc", "-O1", "-g", "-MD", "-c", "a.c", "-o", "a.o");
    return (await workplace.jobs()).some(({ outcome }) => outcome === "result-from-home");
  });
  const object = await readFile(join(workplace.project, "a.o"));
  const expected = (await statusOf(workplace)).audits.waiting;
  assert(expected >= 2);
  const { audits } = await waitFor(
    "the audits",
    async () => {
      const status = await statusOf(workplace);
      return status.audits.waiting === 0 ? status : undefined;
    },
    waitMs,
  );
  assert.deepEqual(audits.counts, { identical: expected, different: 0, void: 0, impossible: 0 });
  assert.deepEqual((await readdir(workplace.project)).toSorted(), ["a.c", "a.d", "a.o", "h.h", "slow.cpp"]);
  assert.deepEqual(await readFile(join(workplace.project, "a.o")), object);
  const work = join(workplace.homccFolder, "agent/audit/work");
  const [own = ""] = await readdir(work);
  await waitFor("an empty folder", async () => (await readdir(join(work, own))).length === 0);
});

test("a lie is found, and the next build is told and goes elsewhere", async () => {
  await using server = await startLyingServer(changeObject);
  await using workplace = await createWorkplace({ hosts: `127.0.0.1:${server.port}/4`, forbidLocal: false });
  await writeFiles(workplace.project, files);
  await using idle = await idleMachine(workplace);
  await idle.compile("gcc", "-O1", "-c", "a.c", "-o", "a.o");
  await waitFor("the finding", async () => (await statusOf(workplace)).audits.findings.length === 1, waitMs);
  assert.match(await idle.compile("gcc", "-O1", "-c", "a.c", "-o", "b.o"), /HOMCC-ERROR\] self-audit: /);
  assert.deepEqual(
    (await workplace.jobs(2)).map(({ outcome }) => outcome),
    ["compiled-remotely", "server-quarantined"],
  );
});

test("an edit makes it void; an agent that is killed in the middle takes everything with it", async () => {
  await using server = await startServer();
  await using workplace = await createWorkplace({ hosts: `${server.address}/4` });
  await writeFiles(workplace.project, files);
  await using idle = await idleMachine(workplace);
  await idle.compile("gcc", "-O1", "-c", "a.c", "-o", "a.o");
  await writeFile(join(workplace.project, "h.h"), "#define H 2\n");
  await waitFor("the audit", async () => (await statusOf(workplace)).audits.counts.void === 1, waitMs);

  await idle.compile("g++", "-O1", "-c", "slow.cpp", "-o", "slow.o");
  await waitFor("the second compile", () => processesMentioning(workplace.folder).some(isRunner), waitMs);
  await endProcesses(agentsOf(workplace.homccFolder));
  await waitFor("the end of all", () => processesMentioning(workplace.folder).length === 0);
  assert.deepEqual((await readdir(workplace.project)).toSorted(), [
    "a.c",
    "a.o",
    "h.h",
    "slow.cpp",
    "slow.o",
  ]);
  await idle.compile("gcc", "-O1", "-c", "a.c", "-o", "a.o");
  const work = join(workplace.homccFolder, "agent/audit/work");
  await waitFor("no leftovers", async () => (await readdir(work)).length === 1);
  recordSurvived("the agent is killed while it audits a job");
});
