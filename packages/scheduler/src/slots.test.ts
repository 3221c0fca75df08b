import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { type Slot, SlotQueue } from "./slots.ts";

test("serves in order and only up to the limit", async () => {
  const queue = new SlotQueue(2);
  const order: number[] = [];
  const first = await queue.acquire();
  const second = await queue.acquire();
  const waiting = [3, 4].map(async (number) => {
    const slot = await queue.acquire();
    order.push(number);
    return slot;
  });
  assert.deepEqual([queue.held, queue.waiting], [2, 2]);
  assert.equal(queue.tryAcquire(), undefined);
  second.release();
  second.release();
  await waiting[0];
  assert.deepEqual([order, queue.held, queue.waiting], [[3], 2, 1]);
  first.release();
  await Promise.all(waiting);
  assert.deepEqual(order, [3, 4]);
});

test("nobody overtakes those who wait", async () => {
  const queue = new SlotQueue(1);
  const first = await queue.acquire();
  const second = queue.acquire();
  queue.resize(2);
  assert.equal(queue.tryAcquire(), undefined, "the new slot is the waiter's");
  first.release();
  assert.equal(queue.held, 1);
  const third = queue.tryAcquire();
  assert.ok(third);
  (await second).release();
  third.release();
  assert.equal(queue.held, 0);
});

test("an aborted waiter leaves the queue and takes nothing", async () => {
  const queue = new SlotQueue(1);
  const slot = await queue.acquire();
  const abort = new AbortController();
  const reason = new Error("the launcher is gone");
  const waiting = queue.acquire(abort.signal);
  const next = queue.acquire();
  abort.abort(reason);
  await assert.rejects(waiting, reason);
  await assert.rejects(queue.acquire(abort.signal), reason);
  assert.equal(queue.waiting, 1);
  slot.release();
  (await next).release();
  assert.deepEqual([queue.held, queue.waiting], [0, 0]);
});

test("an abort after the slot was granted changes nothing", async () => {
  const queue = new SlotQueue(1);
  const first = await queue.acquire();
  const abort = new AbortController();
  const second = queue.acquire(abort.signal);
  first.release();
  abort.abort();
  using slot = await second;
  assert.equal(queue.held, 1);
  slot.release();
  assert.equal(queue.held, 0);
});

test("a smaller limit lets go by and by, zero stops, a bad limit is a bug", async () => {
  const queue = new SlotQueue(3);
  const slots = [await queue.acquire(), await queue.acquire(), await queue.acquire()];
  queue.resize(1);
  const waiting = queue.acquire();
  slots[0]?.release();
  slots[1]?.release();
  assert.deepEqual([queue.held, queue.waiting], [1, 1]);
  slots[2]?.release();
  (await waiting).release();
  queue.resize(0);
  assert.equal(queue.tryAcquire(), undefined);
  for (const limit of [-1, 1.5, Number.NaN, Infinity]) assert.throws(() => queue.resize(limit), /slot limit/);
});

const operation = fc.oneof(
  fc.record({ kind: fc.constant("acquire" as const) }),
  fc.record({ kind: fc.constant("try" as const) }),
  fc.record({ kind: fc.constant("release" as const), which: fc.nat() }),
  fc.record({ kind: fc.constant("abort" as const), which: fc.nat() }),
  fc.record({ kind: fc.constant("resize" as const), limit: fc.nat(4) }),
);

test("property: first come, first served, never above the limit, nothing leaks", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { maxLength: 60 }), async (operations) => {
      const queue = new SlotQueue(2);
      const gone = new Error("gone");
      const failures: unknown[] = [];
      const slots: Slot[] = [];
      let waiting: { readonly number: number; readonly abort: AbortController }[] = [];
      let limit = 2;
      let next = 0;
      for (const step of operations) {
        const heldBefore = queue.held;
        if (step.kind === "acquire") {
          const waiter = { number: (next += 1), abort: new AbortController() };
          waiting.push(waiter);
          const acquired = async (): Promise<void> => {
            const slot = await queue.acquire(waiter.abort.signal);
            assert.equal(waiter.number, waiting[0]?.number, "first come, first served");
            waiting.shift();
            slots.push(slot);
          };
          acquired().catch((error: unknown) => error === gone || failures.push(error));
        } else if (step.kind === "try") {
          const slot = queue.tryAcquire();
          assert.equal(slot !== undefined, waiting.length === 0 && slots.length < limit);
          if (slot !== undefined) slots.push(slot);
        } else if (step.kind === "release" && slots.length > 0) {
          const [slot] = slots.splice(step.which % slots.length, 1);
          slot?.release();
          slot?.release();
        } else if (step.kind === "abort" && waiting.length > 0) {
          const waiter = waiting[step.which % waiting.length];
          waiting = waiting.filter((other) => other !== waiter);
          waiter?.abort.abort(gone);
        } else if (step.kind === "resize") {
          limit = step.limit;
          queue.resize(limit);
        }
        await settled();
        assert.deepEqual(failures, []);
        assert.deepEqual([queue.held, queue.waiting], [slots.length, waiting.length]);
        assert.ok(queue.held <= Math.max(limit, heldBefore));
        assert.ok(queue.held >= limit || waiting.length === 0, "nobody waits beside a free slot");
      }
      queue.resize(1);
      await settled();
      while (slots.length > 0) {
        slots.shift()?.release();
        await settled();
      }
      assert.deepEqual([queue.held, queue.waiting, waiting.length], [0, 0, 0]);
    }),
  );
});

function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

test("parties are served in turn, each in its own order", async () => {
  const queue = new SlotQueue(1);
  const first = await queue.acquire();
  const order: string[] = [];
  const colleague = {};
  const own = {};
  const wait = async (name: string, party: object, signal?: AbortSignal): Promise<void> => {
    const slot = await queue.acquire(signal, party);
    order.push(name);
    slot.release();
  };
  const waiting = ["c1", "c2", "c3", "c4"].map((name) => wait(name, colleague));
  assert.deepEqual([queue.ahead(colleague), queue.ahead(own)], [4, 1]);
  waiting.push(wait("own1", own), wait("own2", own));
  assert.deepEqual([queue.waiting, queue.ahead(own), queue.ahead({})], [6, 5, 2]);
  const gone = new AbortController();
  const abandoned = wait("gone", {}, gone.signal);
  gone.abort(new Error("gone"));
  await assert.rejects(abandoned, /gone/);
  first.release();
  await Promise.all(waiting);
  assert.deepEqual(order, ["c1", "own1", "c2", "own2", "c3", "c4"]);
  assert.deepEqual([queue.waiting, queue.held], [0, 0]);
});

test("a borrowed slot is asked back by whoever waits, and lent again when nobody does", async () => {
  const queue = new SlotQueue(2);
  const never = new AbortController().signal;
  const wanted: string[] = [];
  const first = await queue.borrow(() => wanted.push("first"), never);
  const second = await queue.borrow(() => wanted.push("second"), never);
  const job = queue.acquire();
  assert.deepEqual(wanted, ["first"], "one slot is enough");
  const third = queue.borrow(() => wanted.push("third"), never);
  first.release();
  first.release();
  const held = await job;
  assert.equal(queue.held, 2);
  const next = queue.acquire();
  assert.deepEqual(wanted, ["first", "second"]);
  second.release();
  (await next).release();
  const lent = await third;
  assert.equal(queue.held, 2);
  const last = queue.acquire();
  assert.deepEqual(wanted, ["first", "second", "third"]);
  lent.release();
  (await last).release();
  held.release();
  assert.deepEqual([queue.held, queue.waiting], [0, 0]);
});

test("who stops waiting for a slot to borrow gets none", async () => {
  const queue = new SlotQueue(1);
  const held = await queue.acquire();
  const stop = new AbortController();
  const borrowing = queue.borrow(() => {}, stop.signal);
  stop.abort(new Error("enough"));
  await assert.rejects(borrowing, /enough/);
  held.release();
  assert.equal(queue.held, 0);
  await assert.rejects(
    queue.borrow(() => {}, stop.signal),
    /enough/,
  );
});

test("a party's members take turns inside its own turn: ten connections are not ten clients", async () => {
  const queue = new SlotQueue(1);
  const first = await queue.acquire();
  const [greedy, modest] = [{}, {}];
  const order: string[] = [];
  let last: Promise<void> = Promise.resolve();
  const wait = (party: object, member: object, name: string): void => {
    last = queue.acquire(undefined, party, member).then((slot) => {
      order.push(name);
      slot.release();
    });
  };
  const connections = Array.from({ length: 10 }, () => ({}));
  for (const [index, connection] of connections.entries())
    for (let job = 0; job < 20; job += 1) wait(greedy, connection, `greedy${index}.${job}`);
  const only = {};
  assert.equal(queue.ahead(modest, only), 1);
  wait(modest, only, "modest.0");
  assert.equal(queue.ahead(modest, only), 3);
  wait(modest, only, "modest.1");
  assert.equal(queue.ahead(greedy, {}), 10 + 2, "one of each connection, and the other client's two");
  first.release();
  while (order.length < 202) {
    await last;
    await new Promise(setImmediate);
  }
  assert.deepEqual(order.slice(0, 4), ["greedy0.0", "modest.0", "greedy1.0", "modest.1"]);
  assert.deepEqual(
    order.slice(4, 14),
    [2, 3, 4, 5, 6, 7, 8, 9].map((index) => `greedy${index}.0`).concat("greedy0.1", "greedy1.1"),
  );
  assert.deepEqual([queue.held, queue.waiting], [0, 0]);
});

test("what keeps slots back lets nobody overtake, and who waits for too long is told", async () => {
  let isAllowed = false;
  const queue = new SlotQueue(4, (held) => isAllowed || held === 0);
  const first = queue.tryAcquire();
  assert.ok(first);
  assert.equal(queue.tryAcquire(), undefined);
  const waiting = [
    queue.acquire(),
    queue.acquire(undefined, {}),
    queue.acquire(new AbortController().signal),
  ];
  first.release();
  (await waiting[0])?.release();
  (await waiting[1])?.release();
  const second = await waiting[2];
  const refused = queue.acquire();
  const isRefused = assert.rejects(refused, /short of memory/);
  queue.refuseWaiting(new Error("short of memory"));
  await isRefused;
  const late = queue.acquire();
  assert.equal(queue.waiting, 1);
  isAllowed = true;
  queue.lookAgain();
  (await late).release();
  second?.release();
  assert.deepEqual([queue.held, queue.waiting], [0, 0]);
});
