import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { constants, openSync } from "node:fs";
import { mkdir, readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { type JobRecord, writeJobRecord } from "./job-log.ts";
import { scratchFolder } from "../remote/scratch-folder.fixture.ts";

const record: JobRecord = {
  time: "2026-01-01T00:00:00.000Z",
  pid: 1,
  source: "wört.cpp",
  outcome: "compiled-remotely",
  host: "a:3126",
  detail: "a\nb",
  sentBytes: 1,
  receivedBytes: 2,
  wallMs: 3,
  executor: "namespace",
  compileMs: 0,
};

test("one line a job, also of jobs that end at once", async () => {
  await using folder = await scratchFolder();
  const file = join(folder.path, "jobs");
  const pids = Array.from({ length: 100 }, (_, pid) => pid);
  await Promise.all(pids.map((pid) => writeJobRecord({ HOMCC_JOB_LOG: file }, { ...record, pid })));
  const lines = (await readFile(file, "utf8")).split("\n");
  assert.equal(lines.pop(), "");
  const records = lines.map((line): unknown => JSON.parse(line));
  assert.equal(records.length, 100);
  for (const pid of pids) assert.ok(lines.includes(JSON.stringify({ ...record, pid })));
});

test("no log without the variable or for a relative path", async () => {
  await using folder = await scratchFolder();
  await writeJobRecord({}, record);
  await writeJobRecord({ HOMCC_JOB_LOG: "" }, record);
  await writeJobRecord({ HOMCC_JOB_LOG: "jobs" }, record);
  assert.deepEqual(await readdir(folder.path), []);
});

test("a log that cannot be written is no error", async () => {
  await using folder = await scratchFolder();
  await mkdir(join(folder.path, "folder"));
  await writeJobRecord({ HOMCC_JOB_LOG: join(folder.path, "folder") }, record);
  await writeJobRecord({ HOMCC_JOB_LOG: join(folder.path, "missing", "jobs") }, record);
});

test("a pipe without a reader is not waited for", async () => {
  await using folder = await scratchFolder();
  const pipe = join(folder.path, "pipe");
  execFileSync("mkfifo", [pipe]);
  let isReleased = false;
  // A reader lets go of the threads that wait, or this process would never end.
  const release = setTimeout(() => {
    isReleased = true;
    openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
  }, 5_000);
  // More than the process has threads for files.
  await Promise.all(Array.from({ length: 8 }, () => writeJobRecord({ HOMCC_JOB_LOG: pipe }, record)));
  clearTimeout(release);
  assert.equal(isReleased, false);
});
