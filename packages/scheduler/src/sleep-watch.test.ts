import assert from "node:assert/strict";
import { test } from "node:test";
import { SleepWatch } from "./sleep-watch.ts";

test("a sleep is the time that the wall clock ran on alone", () => {
  let [wallMs, monotonicMs] = [1_700_000_000_000, 5_000];
  const watch = new SleepWatch({ wallMs: () => wallMs, monotonicMs: () => monotonicMs });
  const pass = (ms: number, sleepMs = 0): boolean => {
    monotonicMs += ms;
    wallMs += ms + sleepMs;
    return watch.slept();
  };
  assert.equal(pass(3_600_000), false, "an hour at work");
  assert.equal(pass(10, 500), false, "a correction of the clock");
  assert.equal(pass(10, 60_000), true, "a minute with the lid closed");
  assert.equal(pass(10), false, "told once");
  assert.equal(pass(10, -3_600_000), false, "a clock that was set back");
  assert.equal(pass(10), false);
});
