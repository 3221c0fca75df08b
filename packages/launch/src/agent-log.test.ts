import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { agentLogFile } from "./agent-log.ts";

test("a log that has become too long is moved aside while it is written", (t) => {
  const { path, descriptor } = openLog(t);
  const log = agentLogFile(descriptor, 6400);
  assert.equal(log.path, path);
  const lines = Array.from({ length: 1000 }, (_, index) => `line ${index}\n`);
  for (const line of lines) log.write(line);
  const [older, newer] = [readFileSync(`${path}.1`, "utf8"), readFileSync(path, "utf8")];
  assert.ok(older.length <= 6400 + 200, `${older.length} bytes`);
  assert.ok(newer.length <= 6400 + 200, `${newer.length} bytes`);
  assert.ok(lines.join("").endsWith(older + newer), "no line is lost between the two");
});

test("what is printed past the log after that is in the log", (t) => {
  const { path, descriptor } = openLog(t);
  const log = agentLogFile(descriptor, 64);
  log.write(`${"x".repeat(100)}\n`);
  writeSync(descriptor, "last words\n");
  assert.equal(readFileSync(path, "utf8"), "last words\n");
});

test("an agent whose output is no file has no log's path", () => {
  const descriptor = openSync("/dev/null", "w");
  const log = agentLogFile(descriptor);
  log.write("line\n");
  assert.equal(log.path, undefined);
  closeSync(descriptor);
  assert.doesNotThrow(() => agentLogFile(descriptor).write("line\n"));
});

function openLog(t: TestContext): { readonly path: string; readonly descriptor: number } {
  const folder = mkdtempSync(join(tmpdir(), "homcc-log-"));
  const path = join(folder, "agent.log");
  const descriptor = openSync(path, "a");
  t.after(() => {
    closeSync(descriptor);
    rmSync(folder, { recursive: true });
  });
  return { path, descriptor };
}
