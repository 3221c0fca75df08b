/** A line on which every packet is swallowed: nobody is told, the build goes on within five seconds, and no compile is lost. */
import assert from "node:assert/strict";
import { readdirSync, readlinkSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as pass } from "node:timers/promises";
import { createNetwork, type Network } from "../../support/network.ts";
import { agentsOf, compilersOf } from "../../support/processes.ts";
import { recordSurvived } from "../../support/reliability.ts";
import { meets } from "../../support/requirements.ts";
import { type Server, startServer } from "../../support/server.ts";
import { slowSource } from "../../support/slow-source.ts";
import { assertSameUnit, compilersStarted, unitCompile } from "../../support/unit-compile.ts";
import { waitFor } from "../../support/wait-for.ts";
import { createWorkplace, type Workplace } from "../../support/workplace.ts";

/** Longer than a server believes in a silent connection (20 s, looked at each 5 s). */
const outageMs = 30_000;

/** A server believes in a silent connection for 20 s, looks each 5 s, and keeps what may be joined for 30 s more. */
const forgottenAfterMs = 60_000;

/** One is compiled when the line goes silent, one waits for the slot. */
const begun = ["slow0", "slow1"];

function openSockets(pid: number): number {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).filter((fd) => {
    try {
      return readlinkSync(join(folder, fd)).startsWith("socket:");
    } catch {
      return false; // It was closed meanwhile.
    }
  }).length;
}

/** Of connections: each has one of its own. */
function sessionFolders({ storeFolder }: Server): number {
  return readdirSync(join(storeFolder, "sessions")).length;
}

const held = (server: Server, workplace: Workplace): number[] => [
  openSockets(server.pid),
  sessionFolders(server),
  ...agentsOf(workplace.homccFolder).map(({ pid }) => openSockets(pid)),
];

test("30 s without a packet in either direction: nothing fails, and nothing is compiled twice or kept", async (t) => {
  if (!meets(t, "root")) return;
  await using network = await createNetwork();
  await using server = await startServer({
    prefix: network.away,
    listen: network.serverAddress,
    limit: 1,
    resultCache: true,
    options: ["--log-level", "DEBUG"],
  });
  await using workplace = await createWorkplace({ hosts: `${server.address}/8` });
  for (const name of begun) await writeFile(join(workplace.project, `${name}.cpp`), slowSource);
  for (const name of ["first", "next"])
    await writeFile(join(workplace.project, `${name}.cpp`), `int ${name};\n`);
  const start = (name: string) =>
    workplace.start([...network.home, ...unitCompile(name)], { timeoutMs: 120_000 });
  assert.equal((await start("first").finished).status, 0);
  const before = held(server, workplace);
  const running = begun.map(start);
  const runs = (name: string): number => compilersStarted(server, `${name}.cpp`);
  await waitFor("the remote compiler", () => begun.some((name) => runs(name) === 1));
  network.silence();
  running.push(start("next"));
  // What is tested is how long it lasts.
  await pass(outageMs);
  network.restore();
  const results = await Promise.all(running.map(({ finished }) => finished));
  assert.deepEqual(
    results.map(({ status, stderr }) => `${status} ${stderr}`),
    running.map(() => "0 "),
  );
  assert.deepEqual([...begun, "next"].map(runs), [1, 1, 1]);
  const jobs = await workplace.jobs(4);
  assert.deepEqual(new Set(jobs.map(({ host }) => host)), new Set([server.address]));
  await assertSameUnit(workplace, "slow0");
  assert.deepEqual(compilersOf("slow"), []);
  // Less, where the end of the first launcher was still on its way.
  await waitFor(
    "nothing of the old connection",
    () => held(server, workplace).every((count, index) => count <= (before[index] ?? 0)),
    forgottenAfterMs,
  );
  recordSurvived("No packet passes for 30 s, in either direction");
});

/** What an agent says of connections that it gave up, in ms. */
async function silencesOf({ homccFolder }: Workplace): Promise<number[]> {
  const log = await readFile(join(homccFolder, "run/agent.log"), "utf8");
  return [...log.matchAll(/ - (\S+): \1 was silent for (\d+) ms/g)].map(([, , ms]) => Number(ms));
}

/** Far from the 20 s after which anybody would have noticed; the 3 to 4 s that it takes are a few more on a busy machine. */
const noticedWithinMs = 10_000;

/** Beyond the silence after which a line is dead. */
const stoppedMs = 3_000;

async function awayServer(network: Network): Promise<Server> {
  return await startServer({
    prefix: network.away,
    listen: network.serverAddress,
    limit: 8,
    // What a compiler has made while nobody heard of it is there.
    resultCache: true,
    options: ["--log-level", "DEBUG"],
  });
}

test("a line that falls silent and stays so: jobs that the server has begun go on at home", async (t) => {
  if (!meets(t, "root")) return;
  await using network = await createNetwork();
  await using server = await awayServer(network);
  await using workplace = await createWorkplace({ hosts: `${server.address}/8`, forbidLocal: false });
  for (const name of begun) await writeFile(join(workplace.project, `${name}.cpp`), slowSource);
  const running = begun.map((name) => workplace.start([...network.home, ...unitCompile(name)]));
  await waitFor("the remote compilers", () =>
    begun.every((name) => compilersStarted(server, `${name}.cpp`) === 1),
  );
  network.silence();
  const results = await Promise.all(running.map(({ finished }) => finished));
  for (const { status, stderr } of results) assert.equal(status, 0, stderr);
  assert.match(results.map(({ stderr }) => stderr).join(""), /Compiling locally instead!/);
  for (const { outcome } of await workplace.jobs(2)) assert.equal(outcome, "connection-lost");
  const silences = await silencesOf(workplace);
  assert.equal(silences.length, 1);
  assert.ok((silences[0] ?? 0) < noticedWithinMs, `noticed after ${silences[0]} ms`);
  t.diagnostic(`noticed after ${silences[0]} ms`);
  for (const name of begun) await assertSameUnit(workplace, name);
  recordSurvived("The line falls silent in the middle of jobs, and stays so");
});

test("another address in the middle of a job: its result comes over another connection, and it is compiled once", async (t) => {
  if (!meets(t, "root")) return;
  await using network = await createNetwork();
  await using server = await awayServer(network);
  await using workplace = await createWorkplace({ hosts: `${server.address}/8` });
  await writeFile(join(workplace.project, "slow.cpp"), slowSource);
  const running = workplace.start([...network.home, ...unitCompile("slow")]);
  await waitFor("the remote compiler", () => compilersStarted(server, "slow.cpp") === 1);
  network.move();
  const { status, stderr } = await running.finished;
  assert.equal(`${status} ${stderr}`, "0 ");
  assert.equal(compilersStarted(server, "slow.cpp"), 1);
  assert.equal(network.connects(), 2);
  const silences = await silencesOf(workplace);
  assert.equal(silences.length, 1);
  assert.ok((silences[0] ?? 0) < noticedWithinMs, `noticed after ${silences[0]} ms`);
  t.diagnostic(`noticed after ${silences[0]} ms`);
  await assertSameUnit(workplace, "slow");
  recordSurvived("The machine gets another address in the middle of a job");
});

test("a homccd that is stopped for some seconds keeps its jobs: its machine answers", async () => {
  await using server = await startServer({ limit: 8, options: ["--log-level", "DEBUG"] });
  await using workplace = await createWorkplace({ hosts: `${server.address}/8`, forbidLocal: false });
  await writeFile(join(workplace.project, "slow.cpp"), slowSource);
  const running = workplace.start(unitCompile("slow"));
  await waitFor("the remote compiler", () => compilersStarted(server, "slow.cpp") === 1);
  process.kill(server.pid, "SIGSTOP");
  try {
    const log = join(workplace.homccFolder, "run/agent.log");
    await waitFor("doubt", async () => (await readFile(log, "utf8")).includes("is silent"));
    // What is tested is how long it lasts.
    await pass(stoppedMs);
  } finally {
    process.kill(server.pid, "SIGCONT");
  }
  const { status, stderr } = await running.finished;
  assert.equal(`${status} ${stderr}`, "0 ");
  assert.equal(compilersStarted(server, "slow.cpp"), 1);
  assert.deepEqual(await silencesOf(workplace), []);
  await assertSameUnit(workplace, "slow");
  recordSurvived("A homccd that is stopped for some seconds in the middle of a job");
});
