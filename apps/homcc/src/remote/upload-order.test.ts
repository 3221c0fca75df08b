import assert from "node:assert/strict";
import { test } from "node:test";
import { type Digest, digestOf } from "@homcc/cas/digest";
import type { Slot } from "@homcc/scheduler/slots";
import { UnwantedUpload, UploadOrder } from "./upload-order.ts";

const signal = new AbortController().signal;

/** Asks for each blob in turn, with the first slot taken, and gives the order they are served in. */
async function orderOf(
  blobs: readonly { readonly name: string; readonly bytes: number; readonly jobs: number }[],
): Promise<string[]> {
  const order = new UploadOrder(1, signal);
  const held = digestOf(Buffer.from("held"));
  using _held = order.want(held);
  const first = await order.acquire(held, 1);
  const served: string[] = [];
  const all = blobs.map(async ({ name, bytes, jobs }) => {
    const digest = digestOf(Buffer.from(name));
    for (let job = 0; job < jobs; job++) order.want(digest);
    try {
      const slot: Slot = await order.acquire(digest, bytes);
      served.push(name);
      slot.release();
    } catch (error) {
      assert.ok(error instanceof UnwantedUpload);
      served.push(`${name} dropped`);
    }
  });
  first.release();
  await Promise.all(all);
  return served;
}

test("what most jobs wait for is first, then what is small", async () => {
  const blobs = [
    { name: "large", bytes: 900, jobs: 1 },
    { name: "own", bytes: 10, jobs: 1 },
    { name: "popular", bytes: 5000, jobs: 7 },
  ];
  assert.deepEqual(await orderOf(blobs), ["popular", "own", "large"]);
});

test("a large file is not last of many", async () => {
  const many = Array.from({ length: 20 }, (_, n) => ({ name: `small ${n}`, bytes: 10 + n, jobs: 2 }));
  const served = await orderOf([{ name: "large", bytes: 1e6, jobs: 1 }, ...many]);
  assert.ok(served.indexOf("large") <= 4, served.join());
});

test("what nobody waits for any more is dropped", async () => {
  const blobs = [
    { name: "gone", bytes: 1, jobs: 0 },
    { name: "wanted", bytes: 2, jobs: 1 },
  ];
  assert.deepEqual((await orderOf(blobs)).toSorted(), ["gone dropped", "wanted"]);
});

test("a connection that ends ends the waiting", async () => {
  const ended = new AbortController();
  const order = new UploadOrder(0, ended.signal);
  const digest = digestOf(Buffer.from("x"));
  using _want = order.want(digest);
  const waiting = order.acquire(digest, 1);
  ended.abort(new Error("ended"));
  await assert.rejects(waiting, /ended/);
  await assert.rejects(order.acquire(digest, 1), /ended/);
});

test("what becomes wanted more, or less, while it waits has its turn by that", async () => {
  const order = new UploadOrder(1, signal);
  const [held, rising, falling, steady] = ["held", "rising", "falling", "steady"].map((name) =>
    digestOf(Buffer.from(name)),
  );
  assert.ok(held !== undefined && rising !== undefined && falling !== undefined && steady !== undefined);
  using _wants = order.want(held);
  const first = await order.acquire(held, 1);
  const served: string[] = [];
  const ask = async (name: string, digest: Digest): Promise<void> => {
    using _slot = await order.acquire(digest, 10);
    served.push(name);
  };
  const gone = [order.want(falling), order.want(falling)];
  order.want(falling);
  order.want(rising);
  order.want(steady);
  order.want(steady);
  const all = [ask("rising", rising), ask("falling", falling), ask("steady", steady)];
  for (const want of gone) want[Symbol.dispose]();
  order.want(rising);
  order.want(rising);
  // The first turn was `held`'s, the fourth is the longest waiting's.
  first.release();
  await Promise.all(all);
  assert.deepEqual(served, ["rising", "steady", "falling"]);
});
