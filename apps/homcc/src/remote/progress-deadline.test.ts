import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualTime } from "./manual-time.fixture.ts";
import { ProgressDeadline } from "./progress-deadline.ts";

test("without progress the time is over once it has passed", () => {
  const time = new ManualTime();
  using deadline = new ProgressDeadline(1000, new AbortController().signal, time);
  time.pass(999);
  assert.deepEqual([deadline.isOver, deadline.signal.aborted], [false, false]);
  time.pass(1);
  assert.deepEqual([deadline.isOver, deadline.signal.aborted, time.pending], [true, true, 0]);
});

test("bytes that move start it anew", () => {
  const time = new ManualTime();
  using deadline = new ProgressDeadline(1000, new AbortController().signal, time);
  for (let round = 0; round < 5; round += 1) {
    time.pass(900);
    deadline.moved();
  }
  time.pass(999);
  assert.equal(deadline.isOver, false);
  time.pass(1);
  assert.equal(deadline.isOver, true);
});

test("the caller's end is passed on, and no timer outlives either", () => {
  const time = new ManualTime();
  const call = new AbortController();
  const finished = new ProgressDeadline(1000, call.signal, time);
  finished[Symbol.dispose]();
  assert.equal(time.pending, 0);
  const running = new ProgressDeadline(1000, call.signal, time);
  call.abort(new Error("gone"));
  assert.equal(time.pending, 0);
  assert.deepEqual([running.isOver, String(running.signal.reason)], [false, "Error: gone"]);
  assert.equal(finished.signal.aborted, false);
  const late = new ProgressDeadline(1000, call.signal, time);
  assert.deepEqual([late.signal.aborted, late.isOver, time.pending], [true, false, 0]);
});

test("a byte now and then is not enough", () => {
  const time = new ManualTime();
  using deadline = new ProgressDeadline(1000, new AbortController().signal, time);
  for (let round = 0; round < 2; round += 1) {
    time.pass(450);
    deadline.moved(1);
  }
  time.pass(101);
  assert.equal(deadline.isOver, true);
  using modem = new ProgressDeadline(1000, new AbortController().signal, time);
  for (let round = 0; round < 5; round += 1) {
    time.pass(900);
    modem.moved(3600);
  }
  assert.equal(modem.isOver, false);
});
