/** `homcc status` and `homcc stats`, asked of real agents with real jobs. */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { StatsReport } from "@homcc/homcc/ask/stats";
import type { StatusReport } from "@homcc/homcc/ask/status";
import { agentsOf, endProcesses } from "../../support/processes.ts";
import { homccProgram, repository } from "../../support/repository.ts";
import { startServer } from "../../support/server.ts";
import { slowSource } from "../../support/slow-source.ts";
import { unusedPort } from "../../support/strange-server.ts";
import { waitFor } from "../../support/wait-for.ts";
import { createWorkplace, type Workplace } from "../../support/workplace.ts";

const source = "int value(void) { return 1; }\n";

async function ask(workplace: Workplace, ...words: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await workplace.run([homccProgram, ...words]);
  assert.deepEqual([status, stderr], [0, ""]);
  return stdout;
}

async function askStatus(workplace: Workplace): Promise<StatusReport> {
  const report: StatusReport = JSON.parse(await ask(workplace, "status", "--json"));
  return report;
}

async function askStats(workplace: Workplace, ...words: readonly string[]): Promise<StatsReport> {
  const report: StatsReport = JSON.parse(await ask(workplace, "stats", "--json", ...words));
  return report;
}

async function compile(workplace: Workplace, ...argv: readonly string[]): Promise<void> {
  const { status, stderr } = await workplace.run([homccProgram, ...argv]);
  assert.equal(status, 0, stderr);
}

test("without an agent they say so and start none", async () => {
  await using workplace = await createWorkplace({ hosts: "build:3126/4" });
  const status = await ask(workplace, "status");
  assert.match(status, /^No agent runs \(socket \S+\/run\/agent\.sock\): the next compile starts one\.$/m);
  assert.match(status, /^build:3126 +unused +0 of 4 /m);
  const report = await askStatus(workplace);
  assert.deepEqual([report.agent, report.local, report.queues], [null, null, null]);
  const stats = await ask(workplace, "stats");
  assert.match(stats, /^No agent runs /);
  assert.match(stats, /^No job has ended yet\.$/m);
  assert.deepEqual(agentsOf(workplace.homccFolder), []);
  for (const words of [
    ["status", "x"],
    ["status", "--zero"],
    ["stats", "--bad"],
    ["doctor", "--json"],
  ]) {
    const { status: exit, stderr } = await workplace.run([homccProgram, ...words]);
    assert.deepEqual([exit, stderr.startsWith(`[HOMCC-ERROR] usage: homcc ${words[0]}`)], [2, true], stderr);
  }
});

test("the state of servers, who holds the slots, and one line a job in the log", async () => {
  await using server = await startServer();
  const down = `127.0.0.1:${await unusedPort()}`;
  await using workplace = await createWorkplace({
    hosts: `${server.address}/3 ${down}/1`,
    forbidLocal: false,
  });
  await writeFile(join(workplace.project, "slow.cpp"), slowSource);
  await writeFile(join(workplace.project, "a.c"), source);
  // Until a job has met the server that is down, it is only not used.
  await waitFor("a job that meets the server that is down", async () => {
    await compile(workplace, "gcc", "-c", "a.c");
    return (await askStatus(workplace)).servers.some(({ state }) => state === "unreachable");
  });
  const running = workplace.start([homccProgram, "g++", "-c", "slow.cpp"]);
  // A compiler of that source may also be one that is asked at home what it includes.
  const busy = await waitFor("a job that holds a slot", async () => {
    const status = await askStatus(workplace);
    return status.servers.some(({ slots }) => slots.held > 0) ? status : undefined;
  });
  running.kill("SIGTERM");
  await running.finished;
  assert.ok(busy.agent !== null);
  assert.equal(busy.agent.pid, agentsOf(workplace.homccFolder)[0]?.pid);
  assert.match(busy.agent.version, /^homcc \d/);
  assert.ok(Math.abs(Date.now() - Date.parse(busy.agent.since)) < 120_000);
  assert.equal(busy.agent.socket, join(workplace.homccFolder, "run/agent.sock"));
  const [first, second] = busy.servers;
  assert.ok(first !== undefined && second !== undefined);
  assert.deepEqual([first.host, first.state, first.serverSlots], [server.address, "connected", 4]);
  assert.match(first.version ?? "", /^homccd \d/);
  assert.ok(first.executors?.includes("namespace") === true || first.executors?.includes("mapped") === true);
  assert.ok((first.roundTripMs ?? 0) > 0);
  assert.deepEqual(first.slots, { held: 1, limit: 3 });
  assert.deepEqual(
    first.jobs.map(({ job, seconds }) => [job, seconds >= 0]),
    [["slow.cpp", true]],
  );
  assert.deepEqual([second.host, second.state, second.slots.limit], [down, "unreachable", 1]);
  assert.match(second.reason ?? "", /ECONNREFUSED/);
  assert.ok(Date.parse(second.nextTryAt ?? "") > Date.parse(busy.agent.since));
  assert.deepEqual(busy.queues, { servers: 0, local: 0, discovery: 0 });

  const text = await ask(workplace, "status");
  assert.match(text, new RegExp(`^${server.address} +connected `, "m"));
  const log = await readFile(busy.agent.log, "utf8");
  assert.match(
    log,
    new RegExp(
      `^\\[INFO\\] \\S+ - \\d+ - a\\.c: compiled remotely \\(1\\) on ${server.address}, \\d+ ms$`,
      "m",
    ),
  );
});

test("a job's wish decides how much is in the log", async () => {
  await using workplace = await createWorkplace({ forbidLocal: false });
  await writeFile(join(workplace.project, "a.c"), source);
  for (const level of ["ERROR", "INFO"]) {
    const environment = workplace.environment({ HOMCC_AGENT_LOG_LEVEL: level });
    const result = await workplace.run([homccProgram, "gcc", "-c", "a.c", "-o", `${level}.o`], {
      environment,
    });
    assert.equal(result.status, 0);
  }
  await workplace.jobs(2);
  const log = await readFile(join(workplace.homccFolder, "run/agent.log"), "utf8");
  assert.equal(Array.from(log.matchAll(/no hosts are configured \(23\)/g)).length, 1);
});

test("outcomes are counted over restarts and kill -9, and apart for each HOMCC_DIR", async () => {
  await using server = await startServer();
  await using workplace = await createWorkplace({ hosts: `${server.address}/4`, forbidLocal: false });
  await using other = await createWorkplace();
  await writeFile(join(workplace.project, "a.c"), source);
  await writeFile(join(workplace.project, "conftest.c"), source);
  await compile(workplace, "gcc", "-c", "a.c");
  await compile(workplace, "gcc", "-c", "conftest.c");
  await compile(workplace, "gcc", "--version");
  await compile(workplace, "gcc", "-c", "a.c", "-o", "a2.o", "-fprofile-use");
  await workplace.jobs(4);
  const counted = await askStats(workplace);
  assert.equal(counted.note, "");
  assert.deepEqual(counted.totals, { compiles: 2, remote: 1, local: 1, fallback: 0, otherCalls: 2 });
  assert.ok(counted.sentBytes > 0 && counted.receivedBytes > 0);
  assert.ok(counted.seconds.remote > 0 && counted.compileSecondsOnServers > 0);
  assert.deepEqual(
    counted.outcomes.map(({ number, name, count }) => [number, name, count]),
    [
      [1, "compiled-remotely", 1],
      [11, "no-compilation", 1],
      [13, "local-option", 1],
      [16, "configure-check", 1],
    ],
  );
  assert.deepEqual(Object.values(counted.outcomes[2]?.details ?? {}), [1]);
  assert.match(await ask(workplace, "stats"), /^13 +1 +\S+ s +local +an option that belongs at home$/m);

  // Asking has saved it; a job after that is saved by itself before the agent is killed.
  await compile(workplace, "gcc", "-c", "a.c", "-o", "a3.o");
  const file = join(workplace.homccFolder, "agent/stats.json");
  await waitFor("the counts in the file", async () =>
    (await readFile(file, "utf8")).includes('"compiled-remotely":{"count":2'),
  );
  await endProcesses(agentsOf(workplace.homccFolder));
  const left = await askStats(workplace);
  assert.match(left.note, /No agent runs/);
  assert.equal(left.totals.remote, 2);
  await compile(workplace, "gcc", "-c", "a.c", "-o", "a4.o");
  assert.equal((await askStats(workplace)).totals.remote, 3);
  assert.equal((await askStats(other)).totals.compiles, 0);

  assert.equal((await askStats(workplace, "--zero")).totals.remote, 3);
  const zeroed = await askStats(workplace);
  assert.equal(zeroed.totals.compiles, 0);
  assert.ok(Date.parse(zeroed.since) > Date.parse(counted.since));
});

test("docs/asking.md names every member of the answers", async () => {
  const document = await readFile(join(repository, "docs/asking.md"), "utf8");
  await using workplace = await createWorkplace({ hosts: "build/4" });
  for (const report of [await askStatus(workplace), await askStats(workplace)])
    for (const name of Object.keys(report)) assert.ok(document.includes(`\`${name}\``), name);
});

test("--show-hosts --verbose asks each server; without the flag nobody is asked", async () => {
  await using server = await startServer({ limit: 7, executor: "mapped" });
  const dead = `127.0.0.1:${await unusedPort()}/2`;
  await using workplace = await createWorkplace({ hosts: `${server.address}/4 ${dead}` });
  const table = await ask(workplace, "--show-hosts", "--verbose");
  const lines = table.split("\n");
  const [titles = "", alive = ""] = lines;
  const [silent = "", why = ""] = lines.slice(lines.findIndex((line) => line.startsWith(dead)));
  const version = (await workplace.run(["gcc", "--version"])).stdout.split("\n", 1)[0] ?? "";
  const target = (await workplace.run(["gcc", "-dumpmachine"])).stdout.trim();
  const told = lines.slice(2, lines.indexOf(silent));
  assert.ok(
    told.some((line) => /^ {4}gcc\b/.test(line) && line.includes(version) && line.endsWith(target)),
    table,
  );
  assert.ok(
    told.some((line) => line.startsWith("    schroot profiles: ")),
    table,
  );
  assert.match(titles, /^HOST +VERSION +SLOTS +ROUND TRIP +EXECUTORS$/);
  assert.match(alive, /^127\.0\.0\.1:\d+\/4 +homccd \S+ +7 +\d+\.\d ms +mapped$/);
  assert.ok(silent.startsWith(dead), silent);
  assert.match(why, /ECONNREFUSED/);
  const { stdout } = await workplace.run([homccProgram, "--show-hosts"], {
    environment: workplace.environment({ HOMCC_VERBOSE: "1" }),
  });
  assert.equal(stdout, `${server.address}/4\n${dead}\n`);
  assert.deepEqual(agentsOf(workplace.homccFolder), []);
});
