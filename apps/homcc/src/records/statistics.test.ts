import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { systemClock } from "@homcc/observability/clock";
import { createLogger, silentLogger } from "@homcc/observability/log";
import type { JobRecord } from "./job-log.ts";
import { scratchFolder } from "../remote/scratch-folder.fixture.ts";
import { JobStatistics } from "./statistics.ts";
import { readTally } from "./tally-file.ts";

const record: JobRecord = {
  time: "",
  pid: 1,
  source: "a.cpp",
  outcome: "compiled-remotely",
  host: "build:3126",
  detail: "",
  sentBytes: 10,
  receivedBytes: 1,
  wallMs: 5,
  compileMs: 3,
  executor: "",
};

const countOf = (statistics: JobStatistics): number =>
  statistics.read().outcomes["compiled-remotely"]?.count ?? 0;

test("counts outlive the agent that counted them, and agents that count at once add up", async () => {
  await using folder = await scratchFolder();
  const path = join(folder.path, "agent", "stats.json");
  const first = new JobStatistics(path, systemClock, silentLogger);
  const second = new JobStatistics(path, systemClock, silentLogger);
  for (let job = 0; job < 3; job += 1) first.count(record);
  second.count(record);
  first.save();
  second.save();
  first.count(record);
  first.save();
  assert.equal(countOf(new JobStatistics(path, systemClock, silentLogger)), 5);
  assert.deepEqual(readdirSync(join(folder.path, "agent")), ["stats.json"]);
  assert.ok(readFileSync(path, "utf8").length < 1000);
});

test("a job is in the file five seconds later and not at once, and nothing is written while none ends", async (t) => {
  await using folder = await scratchFolder();
  const path = join(folder.path, "stats.json");
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const statistics = new JobStatistics(path, systemClock, silentLogger);
  statistics.count(record);
  t.mock.timers.tick(4_999);
  assert.equal(readTally(path), undefined);
  statistics.count(record);
  t.mock.timers.tick(1);
  assert.equal(readTally(path)?.outcomes["compiled-remotely"]?.count, 2);
  writeFileSync(path, "");
  t.mock.timers.tick(1_000_000);
  assert.equal(readFileSync(path, "utf8"), "");
});

test("zero gives what was counted and begins anew", async () => {
  await using folder = await scratchFolder();
  const path = join(folder.path, "stats.json");
  let nowMs = 1000;
  const clock = { ...systemClock, wallMs: () => nowMs };
  const statistics = new JobStatistics(path, clock, silentLogger);
  statistics.count(record);
  nowMs = 2000;
  assert.equal(statistics.zero().outcomes["compiled-remotely"]?.count, 1);
  const { sinceMs, outcomes } = statistics.read();
  assert.deepEqual({ sinceMs, outcomes }, { sinceMs: 2000, outcomes: {} });
});

test("incomplete scans are counted without a job", async () => {
  await using folder = await scratchFolder();
  const path = join(folder.path, "stats.json");
  const statistics = new JobStatistics(path, systemClock, silentLogger);
  statistics.countIncompleteScan();
  statistics.count(record);
  statistics.countIncompleteScan();
  const { incompleteScans, outcomes } = new JobStatistics(path, systemClock, silentLogger).read();
  assert.deepEqual([incompleteScans, outcomes], [0, {}], "not saved yet");
  assert.equal(statistics.read().incompleteScans, 2);
  assert.equal(countOf(statistics), 1);
});

test("a damaged file is begun anew, unknown members are dropped", async () => {
  await using folder = await scratchFolder();
  const path = join(folder.path, "stats.json");
  for (const text of ["", "{", "[]", "null", '{"outcomes":3}']) {
    writeFileSync(path, text);
    assert.equal(readTally(path), undefined, text);
    const statistics = new JobStatistics(path, systemClock, silentLogger);
    statistics.count(record);
    assert.equal(countOf(statistics), 1, text);
  }
  writeFileSync(
    path,
    '{"outcomes":{"refused":{"count":-1,"wallMs":"x"},"future":{"count":1}},"sentBytes":7}',
  );
  assert.deepEqual(readTally(path), {
    sinceMs: 0,
    outcomes: { refused: { count: 0, wallMs: 0, details: {} } },
    sentBytes: 7,
    receivedBytes: 0,
    compileMs: 0,
    incompleteScans: 0,
    audits: { identical: 0, different: 0, void: 0, impossible: 0 },
  });
});

test("a folder that takes no files costs the counts and nothing else", (t: TestContext) => {
  const lines: string[] = [];
  const logger = createLogger(
    "WARNING",
    (_, text) => text,
    (line) => lines.push(line),
  );
  const statistics = new JobStatistics("/proc/homcc/stats.json", systemClock, logger);
  statistics.count(record);
  assert.equal(countOf(statistics), 1);
  assert.equal(lines.length, 1);
  t.diagnostic(lines.join(""));
});
