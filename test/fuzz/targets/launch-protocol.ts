import {
  decodeEnded,
  decodeReply,
  decodeRequest,
  encodeEnded,
  encodeReply,
  encodeRequest,
} from "@homcc/launch/codec";
import { encodeFrame, type Frame, FrameReader } from "@homcc/launch/frame";
import { decodeAnswer, decodeQuestion, encodeAnswer, encodeQuestion } from "@homcc/launch/question";
import { readBothWays } from "../chunks.ts";
import { orRefused } from "../refusals.ts";
import { type FuzzTarget, mustEqual } from "../target.ts";
import { vectors } from "../vectors.ts";

const golden = [...vectors("launch").values()];

/** What launcher and agent say to each other. */
export const launchProtocol: FuzzTarget = {
  name: "launch-protocol",
  property: "frames are the same in whatever chunks they come, and what can be read is written the same",
  generate: (random) => Buffer.concat(random.many(1, 3, () => random.pick(golden))),
  check(input) {
    const whole = readBothWays(input, openReader, inWords);
    for (const frame of whole) {
      again(frame, decodeReply, encodeReply);
      again(frame, decodeEnded, encodeEnded);
      again(frame, decodeQuestion, encodeQuestion);
      again(frame, decodeAnswer, encodeAnswer);
      const request = orRefused(() => decodeRequest(frame));
      if (request === undefined || request.notUtf8 || request.invalidVariables.length > 0) continue;
      again(frame, decodeRequest, encodeRequest);
    }
  },
};

function again<T>(frame: Frame, decode: (frame: Frame) => T, encode: (value: T) => Uint8Array): void {
  const value = orRefused(() => decode(frame));
  if (value === undefined) return;
  const [written] = new FrameReader().push(encode(value));
  if (written === undefined) throw new Error("no whole frame was written");
  mustEqual("what is read again", decode(written), value);
}

function openReader(): (chunk: Uint8Array) => Frame[] {
  const reader = new FrameReader();
  return (chunk) => reader.push(chunk);
}

function inWords({ type, payload }: Frame): string {
  return Buffer.from(encodeFrame(type, payload)).toString("hex");
}
