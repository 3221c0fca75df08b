import assert from "node:assert/strict";
import { test } from "node:test";
import { knowHeaders } from "./known-headers.fixture.ts";

test("half a million known headers: memory, and how long the loop is held", async (t) => {
  const count = 500_000;
  const known = await knowHeaders(t, count);
  t.diagnostic(JSON.stringify(known));
  assert.deepEqual(known.reads, [count, 0]);
  assert.deepEqual(known.declared, [count, 0]);
  assert.ok(known.tableBytes < 90e6, `${known.tableBytes}`);
  // By processor time, as in the test of scale; a job of 500 files that nobody interrupts.
  assert.ok(known.longestTurnMs <= 75, `${known.longestTurnMs}`);
});
