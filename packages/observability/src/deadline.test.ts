import assert from "node:assert/strict";
import { test } from "node:test";
import { deadlineAfter } from "./deadline.ts";

test("the time limit ends the job, the caller's end does, and neither after it is disposed", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const call = new AbortController();
  const late = deadlineAfter(1000, call.signal);
  t.mock.timers.tick(999);
  assert.deepEqual([late.isOver, late.signal.aborted], [false, false]);
  t.mock.timers.tick(1);
  assert.deepEqual([late.isOver, late.signal.aborted], [true, true]);

  const finished = deadlineAfter(1000, call.signal);
  finished[Symbol.dispose]();
  const running = deadlineAfter(1000, call.signal);
  call.abort(new Error("gone"));
  t.mock.timers.tick(2000);
  assert.deepEqual([finished.isOver, finished.signal.aborted], [false, false]);
  assert.deepEqual([running.isOver, String(running.signal.reason)], [false, "Error: gone"]);
  assert.equal(deadlineAfter(1000, call.signal).signal.aborted, true);
});
