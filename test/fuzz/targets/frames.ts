import { encodeFrame, type Frame, FrameDecoder, frameFlags, frameTypes } from "@homcc/protocol/frame";
import { FramePieces } from "@homcc/protocol/frame-pieces";
import { maxFrameBytes } from "@homcc/protocol/limits";
import { readBothWays } from "../chunks.ts";
import { orRefused } from "../refusals.ts";
import { type FuzzTarget, must } from "../target.ts";

const types = [...Object.values(frameTypes), 0, 6, 255];
const flags = [0, ...Object.values(frameFlags), 9, 10, 12, 255];

/** Frames of protocol 2, and those that came in pieces. */
export const frames: FuzzTarget = {
  name: "frames",
  property: "the frames are the same in whatever chunks they come, and no more is held than came",
  generate: (random) =>
    Buffer.concat(
      random.many(1, 6, () =>
        encodeFrame({
          type: random.pick(types),
          flags: random.pick(flags),
          stream: random.below(4),
          payload: random.bytes(random.below(random.chance(0.1) ? 600 : 20)),
        }),
      ),
    ),
  check(input) {
    const whole = readBothWays(input, openDecoder, inWords);
    const pieces = new FramePieces();
    let heldBytes = 0;
    orRefused(() => {
      for (const frame of whole) {
        heldBytes += frame.payload.byteLength;
        const put = pieces.take(frame);
        if (put !== undefined)
          must(put.payload.byteLength <= Math.min(heldBytes, maxFrameBytes), "a frame out of nothing");
      }
    });
  },
};

function openDecoder(): (chunk: Uint8Array) => Frame[] {
  const decoder = new FrameDecoder();
  let receivedBytes = 0;
  return (chunk) => {
    receivedBytes += chunk.byteLength;
    // Payloads may be views of the chunk, which its reader uses again.
    const found = decoder.push(chunk).map((frame) => ({ ...frame, payload: Uint8Array.from(frame.payload) }));
    must(decoder.bufferedBytes <= 2 * receivedBytes + (16 << 10), `${decoder.bufferedBytes} bytes held`);
    return found;
  };
}

function inWords({ type, flags, stream, payload }: Frame): string {
  return `${type} ${flags} ${stream} ${Buffer.from(payload).toString("hex")}`;
}
