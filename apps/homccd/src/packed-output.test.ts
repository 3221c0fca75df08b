import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { zstdDecompressSync } from "node:zlib";
import { type Digest, digestOf } from "@homcc/cas/digest";
import { MemoryBlobStore } from "@homcc/cas/memory-blob-store";
import { maxDeltaBytes } from "@homcc/protocol/limits";
import { dataChunkBytes } from "@homcc/transport/data-sender";
import { packOutput, readPacked } from "./packed-output.ts";

const text = Buffer.from(Array.from({ length: 100_000 }, (_, index) => `line ${index}\n`).join(""));

async function stored(store: MemoryBlobStore, bytes: Uint8Array): Promise<Digest> {
  await store.put(digestOf(bytes), [bytes]);
  return digestOf(bytes);
}

test("an output comes back in frames of the size that a client reads", async () => {
  const store = new MemoryBlobStore();
  const packed = await packOutput(text);
  assert.ok(packed !== undefined && packed.byteLength < text.byteLength / 2);
  const frames = await readPacked(store, await stored(store, packed));
  const pieces = frames?.map(({ payload, zstd }) => (zstd ? zstdDecompressSync(payload) : payload)) ?? [];
  assert.deepEqual(Buffer.concat(pieces), text);
  assert.deepEqual(
    pieces.map(({ byteLength }) => byteLength),
    pieces.map((_, index) => Math.min(dataChunkBytes, text.byteLength - index * dataChunkBytes)),
  );
});

test("what is small or very large, or gets no shorter anywhere, is not packed", async () => {
  assert.equal(await packOutput(Buffer.alloc(maxDeltaBytes + 1)), undefined);
  assert.equal(await packOutput(text.subarray(0, 1000)), undefined);
  assert.equal(await packOutput(Buffer.concat([text, randomBytes(dataChunkBytes * 2)])), undefined);
});

test("a blob that is none, or is gone, is not sent", async () => {
  const store = new MemoryBlobStore();
  const packed = (await packOutput(text)) ?? new Uint8Array();
  assert.equal(await readPacked(store, digestOf(packed)), undefined);
  for (const other of [text, text.subarray(0, 3), packed.subarray(0, -1), packed.subarray(0, 8)])
    assert.equal(await readPacked(store, await stored(store, other)), undefined);
});
