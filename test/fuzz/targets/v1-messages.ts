import { encodeV1, V1Decoder, type V1Frame } from "@homcc/protocol/v1/codec";
import { readBothWays } from "../chunks.ts";
import { jsonWords, mutatedJson } from "../json.ts";
import { type FuzzTarget, must, mustEqual } from "../target.ts";
import { v1Recordings } from "../vectors.ts";

const recordings = v1Recordings();
const prefixBytes = 8;
const limits = { maxJsonBytes: 1 << 16, maxPayloadBytes: 1 << 16 };

/** Messages of homcc 1.x with their payloads. */
export const v1Messages: FuzzTarget = {
  name: "v1-messages",
  property: "the messages are the same in whatever chunks they come, and are read again as they were",
  dictionary: jsonWords,
  generate(random) {
    const bytes = random.pick(recordings);
    const end = prefixBytes + bytes.readUInt32LE(0);
    const json = Buffer.from(mutatedJson(JSON.parse(bytes.toString("utf8", prefixBytes, end)), random));
    const prefix = Buffer.alloc(prefixBytes);
    prefix.writeBigUInt64LE(BigInt(json.byteLength));
    return Buffer.concat([prefix, json, bytes.subarray(end, end + 1000)]);
  },
  check(input) {
    const whole = readBothWays(input, openDecoder, inWords);
    for (const { message, payloads } of whole) {
      const [again] = new V1Decoder(limits).push(Buffer.concat(encodeV1(message, payloads)));
      must(again !== undefined, "no whole message was written");
      mustEqual("the message read again", again?.message, message);
    }
  },
};

function openDecoder(): (chunk: Uint8Array) => V1Frame[] {
  const decoder = new V1Decoder(limits);
  let receivedBytes = 0;
  return (chunk) => {
    receivedBytes += chunk.byteLength;
    const found = decoder.push(chunk);
    must(decoder.heldBytes <= receivedBytes, "more is held than came");
    return found;
  };
}

function inWords({ message, payloads }: V1Frame): string {
  return `${JSON.stringify(message)} ${payloads.map((bytes) => Buffer.from(bytes).toString("hex")).join(" ")}`;
}
