import assert from "node:assert/strict";
import { test } from "node:test";
import { constants, zstdCompressSync } from "node:zlib";
import { chunkForFrame } from "./zstd-chunks.ts";

test("a frame says how much it holds, in each of the ways it can", () => {
  for (const length of [0, 1, 255, 256, 65_535, 65_792, 1_000_000]) {
    const frame = zstdCompressSync(Buffer.alloc(length, "ab"), { pledgedSrcSize: length });
    assert.deepEqual(chunkForFrame(frame, 1 << 30), { chunkSize: Math.max(64, length + 1) }, String(length));
    const params = { [constants.ZSTD_c_checksumFlag]: 1 };
    const checked = zstdCompressSync(Buffer.alloc(length, "ab"), { pledgedSrcSize: length, params });
    assert.deepEqual(chunkForFrame(checked, 1 << 30), { chunkSize: Math.max(64, length + 1) });
  }
});

test("no more is reserved than may come out, or than a peer's word is worth", () => {
  const frame = zstdCompressSync(Buffer.alloc(5 << 20), { pledgedSrcSize: 5 << 20 });
  assert.deepEqual(chunkForFrame(frame, 1000), { chunkSize: 1001 });
  assert.deepEqual(chunkForFrame(frame, 1 << 30), { chunkSize: (1 << 20) + 1 });
});

test("what says nothing, or is cut off, is left to zlib", () => {
  const frame = zstdCompressSync(Buffer.alloc(70_000), { pledgedSrcSize: 70_000 });
  for (let length = 0; length < 9; length += 1) chunkForFrame(frame.subarray(0, length), 1 << 20);
  assert.deepEqual(chunkForFrame(frame.subarray(0, 6), 1 << 20), {});
  assert.deepEqual(chunkForFrame(new Uint8Array(), 1 << 20), {});
});
