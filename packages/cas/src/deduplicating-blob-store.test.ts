import assert from "node:assert/strict";
import { test } from "node:test";
import { DeduplicatingBlobStore } from "./deduplicating-blob-store.ts";
import { digestOf } from "./digest.ts";
import { MemoryBlobStore } from "./memory-blob-store.ts";

const bytes = Buffer.from("#include <vector>\n");
const digest = digestOf(bytes);

test("writes a blob once that many bring at the same time", async (t) => {
  const inner = new MemoryBlobStore();
  const puts = t.mock.method(inner, "put");
  const store = new DeduplicatingBlobStore(inner);
  await Promise.all(Array.from({ length: 64 }, () => store.put(digest, [bytes])));
  assert.equal(puts.mock.callCount(), 1);
  assert.deepEqual(await store.findMissing([digest]), []);
});

test("does not wait for another one's upload", async () => {
  const store = new DeduplicatingBlobStore(new MemoryBlobStore());
  const line = Promise.withResolvers<void>();
  const slow = async function* (): AsyncGenerator<Uint8Array> {
    await line.promise;
    yield bytes;
  };
  const slowPut = store.put(digest, slow());
  await store.put(digest, [bytes]);
  assert.deepEqual(await store.findMissing([digest]), []);
  line.reject(new Error("line lost"));
  await assert.rejects(slowPut, /line lost/);
  assert.deepEqual(await store.findMissing([digest]), []);
});

test("a write that fails fails for all who share it, and the next one starts anew", async () => {
  const store = new DeduplicatingBlobStore(new MemoryBlobStore({ maxBytes: 4096 }));
  const other = Buffer.from("int x;");
  await store.put(digestOf(other), [other]);
  const pin = store.pin([digestOf(other)]);
  const results = await Promise.allSettled([store.put(digest, [bytes]), store.put(digest, [bytes])]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ["rejected", "rejected"],
  );
  pin.release();
  await store.put(digest, [bytes]);
});
