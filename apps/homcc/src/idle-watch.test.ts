import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { IdleWatch } from "./idle-watch.ts";

function watch(t: TestContext, idleTimeoutMs: number): { readonly idle: IdleWatch; ends: () => number } {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let ends = 0;
  const idle = new IdleWatch(idleTimeoutMs, () => {
    ends += 1;
  });
  return { idle, ends: () => ends };
}

test("an agent that is never called ends", (t) => {
  const { ends } = watch(t, 100);
  t.mock.timers.tick(99);
  assert.equal(ends(), 0);
  t.mock.timers.tick(1);
  assert.equal(ends(), 1);
});

test("counts from the end of the last of overlapping calls", (t) => {
  const { idle, ends } = watch(t, 100);
  const first = idle.busy();
  const second = idle.busy();
  t.mock.timers.tick(1000);
  first[Symbol.dispose]();
  t.mock.timers.tick(1000);
  assert.equal(ends(), 0);
  second[Symbol.dispose]();
  t.mock.timers.tick(99);
  assert.equal(ends(), 0);
  t.mock.timers.tick(1);
  assert.equal(ends(), 1);
});

test("a call that ends twice does not end another's", (t) => {
  const { idle, ends } = watch(t, 100);
  const first = idle.busy();
  using _second = idle.busy();
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  t.mock.timers.tick(1000);
  assert.equal(ends(), 0);
});

test("the latest wish counts from the next idle time on", (t) => {
  const { idle, ends } = watch(t, 100);
  const call = idle.busy();
  idle.idleTimeoutMs = 5000;
  call[Symbol.dispose]();
  t.mock.timers.tick(4999);
  assert.equal(ends(), 0);
  t.mock.timers.tick(1);
  assert.equal(ends(), 1);
});
