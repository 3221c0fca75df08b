import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { Packed } from "@homcc/protocol/compression";
import { type Chunk, rechunk } from "./rechunk.ts";

async function collect(parts: readonly (Uint8Array | Packed)[], chunkBytes: number): Promise<Chunk[]> {
  const chunks: Chunk[] = [];
  for await (const chunk of rechunk(parts, chunkBytes)) chunks.push(chunk);
  return chunks;
}

function bytesOf({ bytes }: Chunk): Uint8Array {
  assert.ok(bytes instanceof Uint8Array);
  return bytes;
}

test("the bytes are the same, every piece but the last is full, and the last says so", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 20 }),
      fc.integer({ min: 1, max: 40 }),
      async (parts, chunkBytes) => {
        const chunks = await collect(parts, chunkBytes);
        assert.deepEqual(Buffer.concat(chunks.map(bytesOf)), Buffer.concat(parts));
        assert.deepEqual(
          chunks.map(({ last }) => last),
          chunks.map((_, index) => index === chunks.length - 1),
        );
        for (const chunk of chunks) {
          const { byteLength } = bytesOf(chunk);
          assert.ok(chunk.last ? byteLength <= chunkBytes : byteLength === chunkBytes);
        }
      },
    ),
  );
});

test("nothing is one empty last piece; a chunk that fits is not copied", async () => {
  assert.deepEqual(await collect([], 8), [{ bytes: Buffer.alloc(0), last: true }]);
  const part = new Uint8Array(8);
  assert.equal((await collect([part], 8))[0]?.bytes, part);
});

test("what is packed already is a piece of its own, between what was before and after it", async () => {
  const packed = { payload: new Uint8Array(20), zstd: true };
  const [ab, c, d] = ["ab", "c", "d"].map((text) => Buffer.from(text));
  assert.ok(ab !== undefined && c !== undefined && d !== undefined);
  assert.deepEqual(await collect([ab, c, packed, packed, d], 8), [
    { bytes: Buffer.from("abc"), last: false },
    { bytes: packed, last: false },
    { bytes: packed, last: false },
    { bytes: d, last: true },
  ]);
  assert.deepEqual(await collect([packed], 8), [
    { bytes: packed, last: false },
    { bytes: Buffer.alloc(0), last: true },
  ]);
});

test("a source that is not needed any more is closed", async () => {
  let closed = false;
  async function* source(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) yield new Uint8Array(10);
    } finally {
      closed = true;
    }
  }
  for await (const _chunk of rechunk(source(), 10)) break;
  assert.ok(closed);
});
