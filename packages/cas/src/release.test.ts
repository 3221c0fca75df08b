import assert from "node:assert/strict";
import { test } from "node:test";
import { release } from "./release.ts";

test("what fills its buffer has no bytes any more, also with a byte to spare", () => {
  const whole = Buffer.allocUnsafeSlow(20_000);
  const spare = Buffer.allocUnsafeSlow(20_001).subarray(0, 20_000);
  for (const bytes of [whole, spare]) {
    release(bytes);
    assert.equal(bytes.byteLength, 0);
  }
});

test("parts of a buffer, small ones and shared memory stay", () => {
  const buffer = Buffer.allocUnsafeSlow(60_000);
  const kept = [
    buffer.subarray(0, 30_000),
    buffer.subarray(1),
    Buffer.from("abc"),
    Buffer.alloc(9000),
    new Uint8Array(new SharedArrayBuffer(20_000)),
  ];
  const sizes = kept.map(({ byteLength }) => byteLength);
  for (const bytes of kept) release(bytes);
  assert.deepEqual(
    kept.map(({ byteLength }) => byteLength),
    sizes,
  );
});
