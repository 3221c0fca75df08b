/** The monitors of distcc, as Debian has them, show the jobs of homcc. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { homccProgram } from "../../support/repository.ts";
import { meets } from "../../support/requirements.ts";
import { startServer } from "../../support/server.ts";
import { startSlowLink } from "../../support/slow-link.ts";
import { slowSource } from "../../support/slow-source.ts";
import { waitFor } from "../../support/wait-for.ts";
import { createWorkplace, type Workplace } from "../../support/workplace.ts";

interface MonitorLine {
  readonly pid: number;
  readonly phase: string;
  readonly file: string;
  /** With the number of the slot: `localhost[0]`. */
  readonly host: string;
}

/** What the monitor prints now. */
async function monitor(workplace: Workplace, variables: Record<string, string> = {}): Promise<MonitorLine[]> {
  const environment = workplace.environment(variables);
  const { status, stdout, stderr } = await workplace.run(["distccmon-text"], { environment });
  assert.deepEqual([status, stderr], [0, ""]);
  return stdout
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => {
      const [pid = "", phase = "", file = "", host = ""] = line.trim().split(/\s+/);
      return { pid: Number(pid), phase, file, host };
    });
}

function monitorUntil(
  workplace: Workplace,
  what: string,
  isWanted: (lines: readonly MonitorLine[]) => boolean,
): Promise<MonitorLine[]> {
  return waitFor(what, async () => {
    const lines = await monitor(workplace);
    return isWanted(lines) && lines;
  });
}

const statesOf = (workplace: Workplace): string => join(workplace.folder, "home/.distcc/state");

test("a job on a server is shown with its process, phase, file and host, and leaves nothing", async (t) => {
  if (!meets(t, { program: "distccmon-text" })) return;
  await using server = await startServer();
  await using workplace = await createWorkplace({ hosts: `${server.address}/4` });
  await writeFile(join(workplace.project, "slow.cpp"), slowSource);
  const running = workplace.start([homccProgram, "g++", "-c", "./slow.cpp", "-o", "slow.o"]);
  const lines = await monitorUntil(workplace, "a compile", ([line]) => line?.phase === "Compile");
  const { pid } = running;
  assert.deepEqual(lines, [{ pid, phase: "Compile", file: "slow.cpp", host: `${server.address}[0]` }]);
  assert.equal((await running.finished).status, 0);
  await waitFor("the end of its file", async () => (await readdir(statesOf(workplace))).length === 0);
  assert.deepEqual(await monitor(workplace), []);
});

test("a job whose files are on a slow way is shown as sending", async (t) => {
  if (!meets(t, { program: "distccmon-text" })) return;
  await using server = await startServer();
  await using link = await startSlowLink(server.port, 40_000);
  await using workplace = await createWorkplace({ hosts: `${link.address}/4` });
  const large = `static const char text[] = "${randomBytes(60_000).toString("hex")}";\n`;
  await writeFile(join(workplace.project, "large.c"), `${large}int value(void) { return text[0]; }\n`);
  const running = workplace.start([homccProgram, "gcc", "-c", "large.c"]);
  const [line] = await monitorUntil(workplace, "an upload", ([first]) => first?.phase === "Send");
  assert.deepEqual([line?.file, line?.host], ["large.c", `${link.address}[0]`]);
  assert.equal((await running.finished).status, 0);
});

test("jobs at home are shown compiling, or blocked while others have the slots", async (t) => {
  if (!meets(t, { program: "distccmon-text" })) return;
  await using workplace = await createWorkplace({ hosts: "localhost/1", forbidLocal: false });
  await writeFile(join(workplace.project, "slow.cpp"), slowSource);
  await writeFile(join(workplace.project, "next.cpp"), "int next;\n");
  const slow = workplace.start([homccProgram, "g++", "-c", "slow.cpp"]);
  await monitorUntil(workplace, "a local compile", ([line]) => line?.phase === "Compile");
  const next = workplace.start([homccProgram, "g++", "-c", "next.cpp"]);
  const lines = await monitorUntil(workplace, "a second job", ({ length }) => length === 2);
  // The compiler is the launcher's process.
  assert.deepEqual(
    lines.toSorted((one, other) => one.pid - other.pid || one.file.localeCompare(other.file)),
    [
      { pid: slow.pid, phase: "Compile", file: "slow.cpp", host: "localhost[0]" },
      { pid: next.pid, phase: "Blocked", file: "next.cpp", host: "localhost[1]" },
    ].toSorted((one, other) => one.pid - other.pid),
  );
  assert.deepEqual([(await slow.finished).status, (await next.finished).status], [0, 0]);
});

test("questions and configure checks write nothing, nor do jobs whose user wants no monitors", async () => {
  await using workplace = await createWorkplace({ hosts: "localhost/2", forbidLocal: false });
  await writeFile(join(workplace.project, "conftest.cpp"), slowSource);
  await writeFile(join(workplace.project, "slow.cpp"), slowSource);
  const runs: readonly (readonly [argv: readonly string[], variables: Record<string, string>])[] = [
    [["g++", "--version"], {}],
    [["g++", "-c", "conftest.cpp"], {}],
    [["g++", "-c", "slow.cpp"], { HOMCC_STATE_FILES: "0" }],
  ];
  for (const [argv, variables] of runs) {
    const environment = workplace.environment(variables);
    const { status } = await workplace.run([homccProgram, ...argv], { environment });
    assert.equal(status, 0);
  }
  await workplace.jobs(runs.length);
  assert.deepEqual(await readdir(join(workplace.folder, "home")), []);
});
