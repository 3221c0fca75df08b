import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { constants, zstdCompressSync } from "node:zlib";
import { hasCode } from "@homcc/observability/error";
import { compressAboveBytes, pack, packNow, threadPoolAboveBytes, unpack, unpackNow } from "./compression.ts";

const isProtocolError = (error: unknown): boolean => hasCode(error, "ERR_HOMCC_PROTOCOL");

test("short payloads stay as they are, long ones shrink, and both come back", async () => {
  for (const length of [0, 1, compressAboveBytes]) {
    const bytes = Buffer.alloc(length, "a");
    assert.deepEqual(packNow(bytes), { payload: bytes, zstd: false });
  }
  for (const length of [compressAboveBytes + 1, threadPoolAboveBytes, threadPoolAboveBytes + 1, 1 << 20]) {
    const bytes = Buffer.alloc(length, "int main() { return 0; }\n");
    for (const packed of [packNow(bytes), await pack(bytes)]) {
      assert.ok(packed.zstd);
      assert.ok(packed.payload.byteLength < length / 4);
      assert.deepEqual(unpackNow(packed.payload, length), bytes);
      assert.deepEqual(await unpack(packed.payload, length), bytes);
    }
  }
});

test("what does not shrink is sent as it is", async () => {
  for (const length of [5000, 100_000]) {
    const bytes = randomBytes(length);
    assert.deepEqual(packNow(bytes), { payload: bytes, zstd: false });
    assert.deepEqual(await pack(bytes), { payload: bytes, zstd: false });
  }
});

test("a decompression bomb ends at the limit", async () => {
  const bomb = zstdCompressSync(Buffer.alloc(256 << 20));
  assert.ok(bomb.byteLength < 64 << 10);
  const before = process.memoryUsage();
  assert.throws(() => unpackNow(bomb, 1 << 20), isProtocolError);
  await assert.rejects(unpack(bomb, 1 << 20), isProtocolError);
  const after = process.memoryUsage();
  assert.ok(after.external + after.arrayBuffers - before.external - before.arrayBuffers < 32 << 20);
  assert.throws(() => unpackNow(bomb, 1 << 20), /decompresses to more than 1048576 bytes/);
});

test("a window above 2 MiB is refused, so that a header cannot make the decoder reserve it", () => {
  const bytes = randomBytes(9 << 20);
  const params = { [constants.ZSTD_c_windowLog]: 23, [constants.ZSTD_c_compressionLevel]: 1 };
  assert.throws(() => unpackNow(zstdCompressSync(bytes, { params }), 16 << 20), isProtocolError);
});

test("damaged zstd is a protocol error", async () => {
  const { payload } = packNow(Buffer.alloc(100_000, "abc"));
  for (const bad of [
    new Uint8Array(0),
    payload.subarray(0, -3),
    Buffer.from("not zstd at all"),
    randomBytes(100),
  ]) {
    assert.throws(() => unpackNow(bad, 1 << 20), isProtocolError);
    await assert.rejects(unpack(bad, 1 << 20), isProtocolError);
  }
});
