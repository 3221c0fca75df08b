import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "@homcc/observability/clock";
import { MessageBudget } from "./message-budget.ts";

class ManualClock implements Clock {
  nowMs = 1000;

  monotonicMs(): number {
    return this.nowMs;
  }

  wallMs(): number {
    return this.nowMs;
  }
}

test("cheap messages go on for ever, costly ones pause, and on average a fifth of the time is theirs", () => {
  const clock = new ManualClock();
  const budget = new MessageBudget(clock);
  const work = (ms: number): number => {
    budget.run(() => (clock.nowMs += ms));
    return budget.delayMs();
  };
  assert.equal(work(5), 0);
  assert.equal(work(5), 0);
  clock.nowMs += 10_000;
  // A burst: others get a turn, and nobody waits longer.
  for (let count = 0; count < 3; count++) assert.equal(work(60), 1);
  const startMs = clock.nowMs;
  for (let count = 0; count < 100; count++) clock.nowMs += work(60);
  const share = (100 * 60) / (clock.nowMs - startMs);
  assert.ok(share > 0.18 && share < 0.24, `${share}`);
});

test("what fails counts too, and the failure is the caller's", () => {
  const clock = new ManualClock();
  const budget = new MessageBudget(clock);
  assert.throws(
    () =>
      budget.run(() => {
        clock.nowMs += 1000;
        throw new Error("damaged");
      }),
    /damaged/,
  );
  assert.ok(budget.delayMs() >= 3000);
});
