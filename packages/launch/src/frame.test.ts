import assert from "node:assert/strict";
import { test } from "node:test";
import { hasCode } from "@homcc/observability/error";
import fc from "fast-check";
import { encodeFrame, type Frame, FrameReader, maxPayloadBytes } from "./frame.ts";

test("frames survive any cutting of their stream", () => {
  const frames = fc.array(fc.record({ type: fc.nat(255), payload: fc.uint8Array({ maxLength: 40 }) }));
  fc.assert(
    fc.property(frames, fc.array(fc.integer({ min: 1, max: 17 }), { minLength: 1 }), (sent, steps) => {
      const stream = Buffer.concat(sent.map(({ type, payload }) => encodeFrame(type, payload)));
      const reader = new FrameReader();
      const received: Frame[] = [];
      for (let start = 0, turn = 0; start < stream.length; turn += 1) {
        const end = start + (steps[turn % steps.length] ?? 1);
        received.push(...reader.push(stream.subarray(start, end)));
        start = end;
      }
      const text = (each: readonly Frame[]) =>
        each.map(({ type, payload }) => [type, Buffer.from(payload).toString("hex")]);
      assert.deepEqual(text(received), text(sent));
    }),
  );
});

test("a length above the limit is refused before its bytes arrive", () => {
  const header = Buffer.alloc(5);
  header.writeUInt32LE(maxPayloadBytes + 1);
  assert.throws(
    () => new FrameReader().push(header),
    (error) => hasCode(error, "ERR_HOMCC_PROTOCOL"),
  );
  assert.throws(
    () => new FrameReader(3).push(encodeFrame(1, Buffer.alloc(4))),
    (error) => hasCode(error, "ERR_HOMCC_PROTOCOL"),
  );
  assert.throws(
    () => encodeFrame(1, Buffer.alloc(maxPayloadBytes + 1)),
    (error) => hasCode(error, "ERR_HOMCC_PROTOCOL"),
  );
});
