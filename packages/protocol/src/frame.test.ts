import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { hasCode } from "@homcc/observability/error";
import {
  encodeFrame,
  encodeHeader,
  type Frame,
  FrameDecoder,
  frameFlags,
  frameHeaderBytes,
  frameTypes,
} from "./frame.ts";
import { maxFrameBytes } from "./limits.ts";

const anyFrame: fc.Arbitrary<Frame> = fc.record({
  type: fc.integer({ min: 0, max: 255 }),
  flags: fc.integer({ min: 0, max: 255 }),
  stream: fc.integer({ min: 0, max: 0xffff_ffff }),
  payload: fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.integer({ min: 0, max: 200_000 }).map((length) => new Uint8Array(length).fill(length)),
  ),
});

test("the header is 12 bytes, little-endian, its reserved bytes zero", () => {
  const header = encodeHeader({
    type: frameTypes.data,
    flags: frameFlags.zstd | frameFlags.end,
    stream: 0x0102_0304,
    payload: new Uint8Array(0x0a_0b_0c),
  });
  assert.equal(header.toString("hex"), "0c0b0a000203000004030201");
});

test("frames survive any way of cutting the stream", () => {
  fc.assert(
    fc.property(
      fc.array(anyFrame, { maxLength: 6 }),
      fc.infiniteStream(fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 100_000 }))),
      (frames, sizes) => {
        const bytes = Buffer.concat(frames.map(encodeFrame));
        const decoder = new FrameDecoder();
        const decoded: Frame[] = [];
        for (let offset = 0; offset < bytes.byteLength;) {
          const chunk = bytes.subarray(offset, offset + sizes.next().value);
          decoded.push(...decoder.push(chunk));
          offset += chunk.byteLength;
        }
        assert.ok(decoder.atBoundary);
        assert.deepEqual(decoded.map(plain), frames.map(plain));
      },
    ),
    { numRuns: 60 },
  );
});

test("data stays as it is when the chunk is read into again; a message is a view of it", () => {
  const [data, message] = [frameTypes.data, frameTypes.message].map((type) =>
    encodeFrame({ type, flags: 0, stream: 1, payload: new Uint8Array(1000).fill(1) }),
  );
  assert.ok(data !== undefined && message !== undefined);
  const decoder = new FrameDecoder();
  const kept = [...decoder.push(data), ...decoder.push(message)].map(({ payload }) => payload);
  data.fill(2);
  message.fill(2);
  assert.deepEqual(
    kept.map((payload) => payload[0]),
    [1, 2],
  );
});

const headerOf = (payloadBytes: number): Buffer => {
  const bytes = encodeHeader({ type: 2, flags: 0, stream: 1, payload: new Uint8Array(0) });
  bytes.writeUInt32LE(payloadBytes, 0);
  return bytes;
};
const isRefusal = (error: unknown): boolean => hasCode(error, "ERR_HOMCC_PROTOCOL");

test("the longest frame passes, one byte more is refused before anything is reserved", () => {
  const decoder = new FrameDecoder();
  decoder.push(headerOf(maxFrameBytes));
  assert.equal(decoder.push(new Uint8Array(maxFrameBytes)).length, 1);

  for (const payloadBytes of [maxFrameBytes + 1, 0x7fff_ffff, 0xffff_ffff]) {
    const refusing = new FrameDecoder();
    assert.throws(() => refusing.push(headerOf(payloadBytes)), isRefusal);
    assert.equal(refusing.bufferedBytes, 0);
    assert.throws(() => refusing.push(new Uint8Array(1)), isRefusal, "and stays refused");
  }
});

test("memory follows the bytes that came, not the length that was announced", () => {
  const decoder = new FrameDecoder();
  const header = encodeHeader({ type: 2, flags: 0, stream: 1, payload: new Uint8Array(maxFrameBytes) });
  decoder.push(header);
  assert.ok(decoder.bufferedBytes <= 16 << 10);
  let receivedBytes = 0;
  for (let index = 0; index < 100; index++) {
    decoder.push(new Uint8Array(1000));
    receivedBytes += 1000;
    assert.ok(decoder.bufferedBytes <= Math.max(16 << 10, 2 * receivedBytes));
  }
});

test("a connection that ends within a frame is not at a boundary", () => {
  const bytes = encodeFrame({ type: 1, flags: 0, stream: 1, payload: Buffer.from("ab") });
  for (let length = 1; length < frameHeaderBytes + 2; length++) {
    const decoder = new FrameDecoder();
    assert.deepEqual(decoder.push(bytes.subarray(0, length)), []);
    assert.equal(decoder.atBoundary, false);
  }
});

function plain(frame: Frame): object {
  return { ...frame, payload: Buffer.from(frame.payload).toString("base64") };
}
