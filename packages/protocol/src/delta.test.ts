import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { zstdCompressSync } from "node:zlib";
import * as fc from "fast-check";
import { hasCode } from "@homcc/observability/error";
import { decodeDelta, encodeDelta, isDeltaSized } from "./delta.ts";
import { maxDeltaBytes } from "./limits.ts";

const isProtocolError = (error: unknown): boolean => hasCode(error, "ERR_HOMCC_PROTOCOL");

test("any bytes come back from any base, and are never told much longer than they are", async () => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 3000 }).map((array) => Buffer.from(array));
  const likeness = fc.array(fc.tuple(fc.nat(3000), fc.nat(200), fc.uint8Array({ maxLength: 20 })), {
    maxLength: 5,
  });
  await fc.assert(
    fc.asyncProperty(bytes, likeness, async (base, edits) => {
      let edited = base;
      for (const [at, removed, added] of edits) {
        edited = Buffer.concat([edited.subarray(0, at), added, edited.subarray(at + removed)]);
      }
      if (edited.byteLength === 0) return;
      const delta = await encodeDelta(edited, base);
      assert.deepEqual(await decodeDelta(delta, base, edited.byteLength), edited);
      assert.ok(delta.byteLength <= edited.byteLength + 32);
    }),
    { numRuns: 100 },
  );
});

test("sizes from one byte to the limit, in every order", async () => {
  const base = randomBytes(maxDeltaBytes);
  for (const [baseBytes, sizeBytes] of [
    [1, 1],
    [1, maxDeltaBytes],
    [maxDeltaBytes, 1],
    [maxDeltaBytes, maxDeltaBytes],
    [300_000, 5 << 20],
  ] as const) {
    const bytes = Buffer.concat([Buffer.from("!"), base]).subarray(0, sizeBytes);
    const used = base.subarray(0, baseBytes);
    const delta = await encodeDelta(bytes, used);
    assert.ok((await decodeDelta(delta, used, sizeBytes)).equals(bytes), `${baseBytes} ${sizeBytes}`);
  }
  assert.ok(isDeltaSized(maxDeltaBytes, maxDeltaBytes));
  for (const [sizeBytes, baseBytes] of [
    [maxDeltaBytes + 1, 1],
    [1, maxDeltaBytes + 1],
    [0, 1],
    [1, 0],
  ] as const) {
    assert.ok(!isDeltaSized(sizeBytes, baseBytes));
  }
});

test("an edited line of a header of 200 kB takes less than 100 bytes, a moved block of an object little more", async () => {
  const lines = Array.from(
    { length: 5500 },
    (_, index) => `int function_${(index * 7919) % 4507}(long value_${index});`,
  );
  const header = Buffer.from(lines.join("\n"));
  const edited = Buffer.from(lines.with(2000, "int renamed(long value);").join("\n"));
  assert.ok(header.byteLength > 190_000);
  const delta = await encodeDelta(edited, header);
  assert.ok(delta.byteLength < 100, `${delta.byteLength}`);
  const object = randomBytes(3_000_000);
  const moved = Buffer.concat([object.subarray(1_000_003), randomBytes(10), object.subarray(0, 1_000_003)]);
  const movedDelta = await encodeDelta(moved, object);
  assert.ok(movedDelta.byteLength < 1000, `${movedDelta.byteLength}`);
});

test("more bytes than announced, damage and another base end at the limit or in other bytes, never in a crash", async () => {
  const base = randomBytes(5000);
  const bytes = Buffer.concat([base, Buffer.from("new")]);
  const delta = await encodeDelta(bytes, base);
  await assert.rejects(decodeDelta(delta, base, bytes.byteLength - 1), isProtocolError);
  await assert.rejects(decodeDelta(delta.subarray(0, -1), base, bytes.byteLength), isProtocolError);
  await assert.rejects(decodeDelta(new Uint8Array(0), base, bytes.byteLength), isProtocolError);
  const other = await decodeDelta(delta, randomBytes(5000), bytes.byteLength).catch((error: unknown) => {
    assert.ok(isProtocolError(error));
    return undefined;
  });
  assert.ok(other === undefined || !other.equals(bytes));
  const bomb = zstdCompressSync(Buffer.alloc(256 << 20));
  await assert.rejects(
    decodeDelta(bomb, base, 1 << 20),
    /decompresses to more than 1048576 bytes|not valid zstd/,
  );
});
