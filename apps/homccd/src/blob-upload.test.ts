import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { BlobStore } from "@homcc/cas/blob-store";
import { DeduplicatingBlobStore } from "@homcc/cas/deduplicating-blob-store";
import { digestOf } from "@homcc/cas/digest";
import { MemoryBlobStore } from "@homcc/cas/memory-blob-store";
import { hasCode } from "@homcc/observability/error";
import fc from "fast-check";
import { BlobUpload } from "./blob-upload.ts";

/** A store that does with the content what a test says. */
function storeThat(put: BlobStore["put"]): BlobStore {
  const inner = new MemoryBlobStore();
  return {
    findMissing: (digests) => inner.findMissing(digests),
    read: (digest) => inner.read(digest),
    copyTo: (digest, path) => inner.copyTo(digest, path),
    fileOf: () => inner.fileOf(),
    pin: (digests) => inner.pin(digests),
    putHashed: (digest, bytes) => inner.putHashed(digest, bytes),
    put,
  };
}

async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol("pending");
  await turn();
  return (await Promise.race([promise, Promise.resolve(pending)])) === pending;
}

const isMismatch = (error: unknown): boolean => hasCode(error, "ERR_HOMCC_DIGEST_MISMATCH");

test("any content in any pieces", async () => {
  const pieces = fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(pieces, async (pieces) => {
      const bytes = Buffer.concat(pieces);
      const store = new DeduplicatingBlobStore(new MemoryBlobStore());
      const upload = new BlobUpload(digestOf(bytes), store);
      for (const piece of pieces) await upload.push(piece);
      upload.end();
      await upload.stored;
      assert.deepEqual(Buffer.from((await store.read(digestOf(bytes))) ?? []), bytes);
    }),
    { numRuns: 50 },
  );
});

test("a slow store slows the client: one piece is taken at a time", async () => {
  const bytes = Buffer.from("abcdef");
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const taken: string[] = [];
  const upload = new BlobUpload(
    digestOf(bytes),
    storeThat(async (_, content) => {
      for await (const chunk of content) {
        taken.push(Buffer.from(chunk).toString());
        await gates[taken.length - 1]?.promise;
      }
    }),
  );
  const first = upload.push(bytes.subarray(0, 3));
  assert.ok(await isPending(first));
  assert.deepEqual(taken, ["abc"]);
  gates[0]?.resolve();
  await first;
  const second = upload.push(bytes.subarray(3));
  assert.ok(await isPending(second));
  gates[1]?.resolve();
  await second;
  upload.end();
  await upload.stored;
});

test("a store that gives up in the middle of a piece lets the connection go on", async () => {
  const bytes = Buffer.from("abcdef");
  const full = new Error("the disk is full");
  const upload = new BlobUpload(
    digestOf(bytes),
    storeThat(async (_, content) => {
      for await (const _chunk of content) throw full;
    }),
  );
  const rejected = assert.rejects(upload.stored, full);
  await upload.push(bytes.subarray(0, 3));
  await rejected;
  await upload.push(bytes.subarray(3));
  upload.end();
});

test("a store that gives up before the first piece", async () => {
  const bytes = Buffer.from("abcdef");
  const upload = new BlobUpload(digestOf(bytes), new MemoryBlobStore({ maxBytes: 3 }));
  const rejected = assert.rejects(upload.stored, (error) => hasCode(error, "ERR_HOMCC_STORE_FULL"));
  await upload.push(bytes);
  upload.end();
  await rejected;
});

test("too many bytes, too few, and others", async () => {
  const store = new MemoryBlobStore();
  const digest = digestOf(Buffer.from("abc"));
  for (const pieces of [["abc", "d"], ["abcd"], ["ab"], [], ["abd"], ["ab", "cccccc", "d"]]) {
    const upload = new BlobUpload(digest, store);
    const rejected = assert.rejects(upload.stored, isMismatch, pieces.join());
    for (const piece of pieces) await upload.push(Buffer.from(piece));
    upload.end();
    await rejected;
    assert.deepEqual(await store.findMissing([digest]), [digest]);
  }
});

test("a client that leaves: before, while and after its bytes", async () => {
  const bytes = Buffer.from("abcdef");
  const gone = new Error("gone");
  for (const pieces of [0, 1]) {
    const upload = new BlobUpload(digestOf(bytes), new MemoryBlobStore());
    const rejected = assert.rejects(upload.stored, gone);
    if (pieces > 0) await upload.push(bytes.subarray(0, 3));
    upload.abort(gone);
    await rejected;
    await upload.push(bytes.subarray(3));
    upload.end();
  }
  const store = new MemoryBlobStore();
  const upload = new BlobUpload(digestOf(bytes), store);
  await upload.push(bytes);
  upload.end();
  await upload.stored;
  upload.abort(gone);
  assert.deepEqual(await store.findMissing([digestOf(bytes)]), []);
});

test("a client that leaves while the store is busy with its piece", async () => {
  const busy = Promise.withResolvers<void>();
  const upload = new BlobUpload(
    digestOf(Buffer.from("abc")),
    storeThat(async (_, content) => {
      for await (const _chunk of content) await busy.promise;
    }),
  );
  const push = upload.push(Buffer.from("abc"));
  await turn();
  const rejected = assert.rejects(upload.stored, /gone/);
  upload.abort(new Error("gone"));
  busy.resolve();
  await push;
  await rejected;
});

test("what is in the store already is read to its end and checked all the same", async () => {
  const bytes = Buffer.from("abc");
  const store = new MemoryBlobStore();
  await store.put(digestOf(bytes), [bytes]);
  const wrong = new BlobUpload(digestOf(bytes), store);
  const rejected = assert.rejects(wrong.stored, isMismatch);
  await wrong.push(Buffer.from("abd"));
  wrong.end();
  await rejected;
  const empty = new BlobUpload(digestOf(Buffer.alloc(0)), store);
  empty.end();
  await empty.stored;
});
