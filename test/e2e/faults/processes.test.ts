/** Processes that end at the wrong time, or are to end: nothing runs on, nothing is left behind. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { cp, mkdir, readdir, readFile, realpath, symlink, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { runCommand } from "../../support/command.ts";
import { agentsOf, compilersOf, isAlive, listProcesses, processTree } from "../../support/processes.ts";
import { recordLoad, recordSurvived } from "../../support/reliability.ts";
import { homccProgram, repository } from "../../support/repository.ts";
import { meets } from "../../support/requirements.ts";
import { runPty } from "../../support/pty.ts";
import { type Server, startServer } from "../../support/server.ts";
import { slowSource } from "../../support/slow-source.ts";
import { waitFor } from "../../support/wait-for.ts";
import { createWorkplace, type Workplace } from "../../support/workplace.ts";

/** Issue: "the remote compiler within a second". */
const interruptLimitMs = 1000;

async function slowWorkplace(server: Server, forbidLocal = true): Promise<Workplace> {
  const workplace = await createWorkplace({ hosts: `${server.address}/4`, forbidLocal });
  await writeFile(join(workplace.project, "slow.cpp"), slowSource);
  return workplace;
}

const compile = [homccProgram, "g++", "-c", "slow.cpp", "-o", "slow.o"];

function remoteCompilers(server: Server): number[] {
  const tree = new Set(processTree(server.pid).map(({ pid }) => pid));
  return compilersOf("slow.cpp")
    .map(({ pid }) => pid)
    .filter((pid) => tree.has(pid));
}

async function remoteCompiler(server: Server): Promise<number> {
  return waitFor("the remote compiler", () => remoteCompilers(server)[0]);
}

/** Only the source is left: no object, no half of one. */
async function assertNothingWritten(workplace: Workplace): Promise<void> {
  assert.deepEqual(await readdir(workplace.project), ["slow.cpp"]);
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  test(`${signal} at the launcher ends the remote compiler`, async () => {
    await using server = await startServer();
    await using workplace = await slowWorkplace(server);
    const running = workplace.start(compile);
    const compiler = await remoteCompiler(server);
    running.kill(signal);
    await waitFor("the remote compiler to end", () => !isAlive(compiler), interruptLimitMs);
    const result = await running.finished;
    assert.equal(result.signal, signal);
    await assertNothingWritten(workplace);
    recordSurvived(`The launcher ends by ${signal} while its job is compiled`);
  });
}

test("SIGKILL at the launcher ends the remote compiler", async () => {
  await using server = await startServer();
  await using workplace = await slowWorkplace(server);
  const running = workplace.start(compile);
  const compiler = await remoteCompiler(server);
  running.kill("SIGKILL");
  await running.finished;
  await waitFor("the remote compiler to end", () => !isAlive(compiler), interruptLimitMs);
  await assertNothingWritten(workplace);
  recordSurvived("The launcher ends by SIGKILL while its job is compiled");
});

test("Ctrl-C in a terminal ends the remote compiler", async (t) => {
  if (!meets(t, { program: "python3" })) return;
  await using server = await startServer();
  await using workplace = await slowWorkplace(server);
  const finished = runPty(compile, {
    cwd: workplace.project,
    environment: workplace.environment(),
    columns: 80,
    rows: 24,
    descriptors: "012",
  });
  const compiler = await remoteCompiler(server);
  const helper = listProcesses().find(
    ({ commandLine }) =>
      commandLine.some((word) => word.endsWith("terminal.py")) && commandLine.includes("slow.cpp"),
  );
  assert.ok(helper !== undefined);
  process.kill(helper.pid, "SIGINT"); // It types Ctrl-C.
  await waitFor("the remote compiler to end", () => !isAlive(compiler), interruptLimitMs);
  assert.equal((await finished).status, 128 + 2);
  await assertNothingWritten(workplace);
  recordSurvived("Ctrl-C is typed while a job is compiled");
});

test("make -j stopped by SIGINT leaves nothing running", async (t) => {
  if (!meets(t, { program: "make" })) return;
  await using server = await startServer();
  await using workplace = await slowWorkplace(server);
  await writeFile(
    join(workplace.project, "Makefile"),
    "all: 1.o 2.o 3.o\n%.o: slow.cpp\n\t$(CXX) -DN=$* -c $< -o $@\n",
  );
  const running = workplace.start(["make", "-j3", `CXX=${homccProgram} g++`]);
  await waitFor("three remote compilers", () => remoteCompilers(server).length === 3);
  // Like a terminal: to the whole group, of which spawn's child is no leader, so one by one.
  for (const { pid } of processTree(running.pid)) process.kill(pid, "SIGINT");
  await waitFor("the remote compilers to end", () => remoteCompilers(server).length === 0, interruptLimitMs);
  assert.notEqual((await running.finished).status, 0);
  recordSurvived("make -j is stopped");
});

/** What clients of the server have not read yet, by the kernel's table of connections. */
function unreadBytesFrom(server: Server): number {
  const port = Number(server.address.split(":").at(-1)).toString(16).toUpperCase().padStart(4, "0");
  const rows = readFileSync("/proc/net/tcp", "utf8").split("\n").slice(1);
  return rows
    .map((row) => row.trim().split(/\s+/))
    .filter(([, , remote = ""]) => remote.endsWith(`:${port}`))
    .reduce((sum, [, , , , queues = ""]) => sum + Number.parseInt(queues.split(":")[1] ?? "0", 16), 0);
}

test("the agent is killed in the middle of a job", async () => {
  await using server = await startServer();
  await using workplace = await slowWorkplace(server, false);
  const running = workplace.start(compile);
  const compiler = await remoteCompiler(server);
  const [agent] = agentsOf(workplace.homccFolder);
  assert.ok(agent !== undefined);
  // With bytes unread, the kernel resets the connection, as for a line that dropped.
  await waitFor("the agent to have read everything", () => unreadBytesFrom(server) === 0);
  process.kill(agent.pid, "SIGKILL");
  await waitFor("the remote compiler to end", () => !isAlive(compiler), interruptLimitMs);
  assert.match(server.log(), /was killed/);
  assert.doesNotMatch(server.log(), /slow\.cpp: exited/, "it was not just quick");
  const result = await running.finished;
  assert.equal(result.status, 0, result.stderr);
  await readFile(join(workplace.project, "slow.o"));
  const again = await workplace.run(compile);
  assert.equal(again.status, 0, again.stderr);
  assert.equal((await workplace.jobs(1)).at(-1)?.outcome, "compiled-remotely");
  recordSurvived("The agent is killed while its job is compiled");
});

test("agent and server killed with SIGKILL leave no process behind", async () => {
  await using server = await startServer();
  await using workplace = await slowWorkplace(server, false);
  const running = workplace.start(compile);
  await remoteCompiler(server);
  const [agent] = agentsOf(workplace.homccFolder);
  assert.ok(agent !== undefined);
  const all = [...processTree(server.pid), ...processTree(agent.pid)];
  process.kill(agent.pid, "SIGKILL");
  server.kill("SIGKILL");
  await waitFor("all processes to end", () => all.every(({ pid }) => !isAlive(pid)), 5000);
  const result = await running.finished;
  assert.equal(result.status, 0, result.stderr);
  recordSurvived("Agent and server are killed at once");
});

test("many launchers at once start exactly one agent", async () => {
  await using server = await startServer({ limit: 8 });
  await using workplace = await createWorkplace({ hosts: `${server.address}/8` });
  await writeFile(join(workplace.project, "a.c"), "int x = N;\n");
  const results = await Promise.all(
    Array.from({ length: 30 }, (_, i) =>
      workplace.run([homccProgram, "gcc", `-DN=${i}`, "-c", "a.c", "-o", `${i}.o`]),
    ),
  );
  assert.deepEqual([...new Set(results.map(({ status, stderr }) => `${status} ${stderr}`))], ["0 "]);
  assert.equal(agentsOf(workplace.homccFolder).length, 1);
  const log = await readFile(join(workplace.homccFolder, "run/agent.log"), "utf8");
  assert.equal(log.split("\n").filter((line) => line.includes(" listens on ")).length, 1);
  recordLoad("Launchers that find no agent, at once", { launchers: results.length, agents: 1 });
});

test("200 jobs at once", async () => {
  await using server = await startServer();
  await using workplace = await createWorkplace({ hosts: `${server.address}/16` });
  await writeFile(join(workplace.project, "a.c"), "int x = N;\n");
  const [c, object] = [(i: number) => [`-DN=${i}`, "-c", "a.c", "-o"], (i: number) => `${i}.o`];
  const results = await Promise.all(
    Array.from({ length: 200 }, (_, i) =>
      workplace.run([homccProgram, "gcc", ...c(i), object(i)], { timeoutMs: 110_000 }),
    ),
  );
  assert.deepEqual([...new Set(results.map(({ status, stderr }) => `${status} ${stderr}`))], ["0 "]);
  const jobs = await workplace.jobs(200);
  assert.deepEqual(
    [...new Set(jobs.map(({ outcome, host }) => `${outcome} ${host}`))],
    [`compiled-remotely ${server.address}`],
  );
  for (const i of [0, 99, 199]) {
    await runCommand(["gcc", ...c(i), "plain.o"], {
      cwd: workplace.project,
      environment: workplace.environment(),
    });
    const [plain, remote] = await Promise.all(
      ["plain.o", object(i)].map((name) => readFile(join(workplace.project, name))),
    );
    assert.ok(remote?.equals(plain ?? Buffer.alloc(0)), `${object(i)} differs`);
  }
  recordLoad("Jobs of one user at once", { jobs: results.length, failed: 0, "at home": 0 });
});

test("an upgrade during a build", async () => {
  await using server = await startServer();
  await using workplace = await createWorkplace({ hosts: `${server.address}/4` });
  const installation = await copyInstallation(join(workplace.folder, "installation"));
  await writeFile(join(workplace.project, "a.c"), "int x = N;\n");
  const compileOne = (i: number) =>
    workplace.run([join(installation, "bin/homcc"), "gcc", `-DN=${i}`, "-c", "a.c", "-o", `${i}.o`]);
  const agentOf = () => agentsOf(workplace.homccFolder).map(({ pid }) => pid);

  assert.equal((await compileOne(0)).status, 0);
  const [before] = agentOf();
  const build = Promise.all(Array.from({ length: 20 }, (_, i) => compileOne(i)));
  await utimes(join(installation, "dist/agent.mjs"), new Date(), new Date());
  const results = [
    ...(await build),
    ...(await Promise.all(Array.from({ length: 20 }, (_, i) => compileOne(20 + i)))),
  ];
  assert.deepEqual([...new Set(results.map(({ status, stderr }) => `${status} ${stderr}`))], ["0 "]);
  const jobs = await workplace.jobs(41);
  assert.deepEqual([...new Set(jobs.map(({ outcome }) => outcome))], ["compiled-remotely"]);
  await waitFor("the old agent to end", () => before !== undefined && !isAlive(before));
  assert.equal(agentOf().length, 1);
  recordSurvived("homcc is upgraded during a build");
});

/** The programs as an installation of their own, so that replacing them disturbs nobody else. */
async function copyInstallation(folder: string): Promise<string> {
  await mkdir(join(folder, "dist"), { recursive: true });
  await cp(join(repository, "bin"), join(folder, "bin"), { recursive: true });
  for (const name of ["agent.mjs", "homcc.mjs"])
    await cp(join(repository, "dist", name), join(folder, "dist", name));
  await symlink(await realpath(join(repository, "dist/node")), join(folder, "dist/node"));
  return dirname(join(folder, "bin"));
}
