import assert from "node:assert/strict";
import { test } from "node:test";
import { SlotQueue } from "@homcc/scheduler/slots";
import { UnsentResults } from "./unsent-results.ts";

const never = new AbortController().signal;

/** True when `promise` is settled once everything else that can happen has happened. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol("pending");
  const later = new Promise((resolve) => setImmediate(() => resolve(pending)));
  return (await Promise.race([promise.catch(() => undefined), later])) !== pending;
}

test("no slot while too much waits to be sent, and none is held for that", async () => {
  const slots = new SlotQueue(1);
  const unsent = new UnsentResults(100, {});
  const small = unsent.add(100);
  (await unsent.acquireSlot(slots, never)).release();
  const large = unsent.add(50);
  const first = unsent.acquireSlot(slots, never);
  const second = unsent.acquireSlot(slots, never);
  assert.equal(await isSettled(first), false);
  assert.equal(slots.held, 0, "others are served meanwhile");
  large[Symbol.dispose]();
  using _slot = await first;
  assert.equal(await isSettled(second), false);
  small[Symbol.dispose]();
  _slot.release();
  (await second).release();
  assert.equal(slots.held, 0);
});

test("a slot that came when there was no room any more is given back", async () => {
  const slots = new SlotQueue(1);
  const unsent = new UnsentResults(100, {});
  const others = await slots.acquire();
  const waiting = unsent.acquireSlot(slots, never);
  assert.equal(await isSettled(waiting), false);
  const result = unsent.add(101);
  others.release();
  assert.equal(await isSettled(waiting), false);
  assert.equal(slots.held, 0);
  result[Symbol.dispose]();
  (await waiting).release();
});

test("an abort ends the waiting", async () => {
  const slots = new SlotQueue(1);
  const unsent = new UnsentResults(0, {});
  using _result = unsent.add(1);
  const controller = new AbortController();
  const waiting = unsent.acquireSlot(slots, controller.signal);
  controller.abort(new Error("the client left"));
  await assert.rejects(waiting, /the client left/);
  assert.equal(slots.held, 0);
});
