import assert from "node:assert/strict";
import { mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mock, test } from "node:test";
import { createLogger, silentLogger } from "@homcc/observability/log";
import { AccessLog } from "./access-log.ts";
import { Activity, jobOutcomes, type JobRecord, type Presence } from "./activity.ts";

const record: JobRecord = {
  time: "2026-01-01T00:00:00.000Z",
  client: "alice",
  peer: "10.0.0.1:5",
  job: 'odd "name"\n.c',
  outcome: "compiled",
  ended: "exited 0",
  ms: 12,
  compileMs: 7,
  receivedBytes: 100,
  sentBytes: 2000,
};

test("a line a minute while there is work, none when idle", () => {
  mock.timers.enable({ apis: ["setInterval"] });
  try {
    const lines: string[] = [];
    const logger = createLogger(
      "INFO",
      (_level, text) => text,
      (line) => lines.push(line),
    );
    let present: Presence = {
      clients: 2,
      connections: 3,
      running: 1,
      waiting: 4,
      receivedBytes: 5e6,
      sentBytes: 1e6,
      memoryBytes: 80e6,
      availableBytes: 1e9,
    };
    const records: JobRecord[] = [];
    const activity = new Activity(
      logger,
      () => present,
      (one) => records.push(one),
    );
    mock.timers.tick(600_000);
    assert.deepEqual(lines, []);
    activity.begun();
    activity.ended(record);
    activity.ended({ ...record, outcome: "reused" });
    activity.ended({ ...record, outcome: "refused" });
    activity.turnedAway();
    mock.timers.tick(60_000);
    assert.deepEqual(lines, [
      "last minute: 3 jobs (1 from earlier ones, 1 refused, 0 given up), 1 connections refused, 5.0 MB in, 1.0 MB out; " +
        "now 2 clients, 3 connections, 1 running, 4 waiting, 80.0 MB of memory, 1000.0 MB available\n",
    ]);
    mock.timers.tick(60_000);
    assert.match(lines[1] ?? "", /last minute: 0 jobs .* 0\.0 MB in/, "one still runs");
    present = { ...present, running: 0, waiting: 0 };
    mock.timers.tick(600_000);
    assert.equal(lines.length, 2);
    activity.ended(record);
    mock.timers.tick(60_000);
    assert.equal(lines.length, 3);
    activity.ended({ ...record, outcome: "sent-back" });
    mock.timers.tick(60_000);
    assert.match(lines[3] ?? "", /last minute: 0 jobs .* 1 connections refused/, "its job comes again");
    assert.equal(records.length, 5);
    activity.close();
  } finally {
    mock.timers.reset();
  }
});

test("every outcome is explained to who reads the access log", async () => {
  const text = await readFile(join(import.meta.dirname, "../../../../docs/deployment.md"), "utf8");
  const [, table = ""] = text.split("| `outcome` | |\n|---|---|\n");
  const rows = Object.entries(jobOutcomes).map(([name, what]) => `| \`${name}\` | ${what} |\n`);
  assert.equal(table.slice(0, table.indexOf("\n\n") + 1), rows.join(""));
});

test("the access log: a line of JSON a job, opened anew after it was moved away", async () => {
  const folder = await mkdtemp(join(tmpdir(), "homcc-test-"));
  try {
    const path = join(folder, "access.log");
    const log = new AccessLog(silentLogger);
    log.write(record);
    await log.open(path);
    log.write(record);
    await rename(path, `${path}.1`);
    log.write(record);
    await log.open(path);
    log.write({ ...record, client: "bob" });
    await log.close();
    const parsed = async (file: string): Promise<unknown[]> =>
      (await readFile(file, "utf8"))
        .split("\n")
        .slice(0, -1)
        .map((line): unknown => JSON.parse(line));
    assert.deepEqual(await parsed(`${path}.1`), [record, record]);
    assert.deepEqual(await parsed(path), [{ ...record, client: "bob" }]);
    await assert.rejects(log.open(join(folder, "none/access.log")), /the access log .* cannot be written/);
    const full = new AccessLog(silentLogger);
    await full.open("/dev/full");
    full.write(record);
    await full.close();
    full.write(record);
  } finally {
    await rm(folder, { recursive: true });
  }
});
