import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { hasCode } from "@homcc/observability/error";
import fc from "fast-check";
import { encodeV1, V1Decoder, type V1Frame } from "./codec.ts";
import { unpackV1 } from "./payload.ts";

const folder = join(import.meta.dirname, "../../../../test/vectors/homcc-v1");

interface Conversation {
  readonly frames: readonly { readonly from: "client" | "server"; readonly base64: string }[];
}

/** What homcc 1.0.3's client and server said to each other. */
const conversations = readdirSync(folder).map((name) => {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- recorded, and looked at by the tests
  const { frames } = JSON.parse(readFileSync(join(folder, name), "utf8")) as Conversation;
  return { name, frames: frames.map(({ from, base64 }) => ({ from, bytes: Buffer.from(base64, "base64") })) };
});

function decodeWhole(bytes: Uint8Array): V1Frame {
  const decoder = new V1Decoder();
  const frames = decoder.push(bytes);
  assert.equal(frames.length, 1);
  assert.equal(decoder.heldBytes, 0);
  const [frame] = frames;
  assert.ok(frame);
  return frame;
}

test("every recorded message is understood and written again byte for byte", () => {
  assert.equal(conversations.length, 12);
  for (const { name, frames } of conversations) {
    for (const { bytes } of frames) {
      const { message, payloads } = decodeWhole(bytes);
      assert.deepEqual(Buffer.concat(encodeV1(message, payloads)), bytes, name);
    }
  }
});

test("the same byte by byte", () => {
  for (const { frames } of conversations) {
    for (const { bytes } of frames) {
      const decoder = new V1Decoder();
      const decoded: V1Frame[] = [];
      for (const byte of bytes) decoded.push(...decoder.push(Uint8Array.of(byte)));
      assert.deepEqual(decoded, [decodeWhole(bytes)]);
    }
  }
});

test("all that one side says, cut anywhere", () => {
  const sides = conversations.flatMap(({ frames }) =>
    (["client", "server"] as const).map((side) =>
      frames.filter(({ from }) => from === side).map(({ bytes }) => bytes),
    ),
  );
  fc.assert(
    fc.property(
      fc.constantFrom(...sides),
      fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1 }),
      (messages, cuts) => {
        const bytes = Buffer.concat(messages);
        const decoder = new V1Decoder();
        const decoded: V1Frame[] = [];
        for (let at = 0, cut = 0; at < bytes.length; cut += 1) {
          const length = cuts[cut % cuts.length] ?? 1;
          decoded.push(...decoder.push(bytes.subarray(at, at + length)));
          at += length;
        }
        assert.deepEqual(decoded, messages.map(decodeWhole));
      },
    ),
  );
});

test("what is in the recorded payloads: the sources, and objects", async () => {
  const kinds = new Set<string>();
  for (const { frames } of conversations) {
    for (const { bytes } of frames) {
      const { message, payloads } = decodeWhole(bytes);
      if (!("compression" in message) || message.message_type === "ArgumentMessage") continue;
      const compression = message.compression ?? "no_compression";
      for (const payload of payloads) {
        const file = Buffer.from(await unpackV1(compression, payload, 1 << 20));
        const isObject = file.subarray(0, 4).equals(Buffer.from("\x7fELF", "latin1"));
        assert.equal(isObject, message.message_type === "CompilationResultMessage");
        if (!isObject) assert.match(file.toString(), /^$|include|int |inline/);
        kinds.add(`${compression} ${isObject}`);
      }
    }
  }
  assert.equal(kinds.size, 6);
});

const damaged: readonly [what: string, bytes: Buffer, reason: RegExp][] = [
  ["a length beyond all", Buffer.from("ffffffff00000000", "hex"), /4294967295 bytes/],
  ["a length of 64 bits", Buffer.from("0000000001000000", "hex"), /4294967296 bytes/],
  ["no JSON", frameOf("nonsense"), /not JSON/],
  ["an unknown message", frameOf('{"message_type": "Hello"}'), /message_type/],
  [
    "a digest that is none",
    frameOf('{"message_type": "DependencyRequestMessage", "sha1sum": "xyz"}'),
    /SHA-1/,
  ],
  [
    "payloads without end",
    frameOf(
      `{"message_type": "CompilationResultMessage", "files": [${Array.from({ length: 3 }, () => '{"filename": "a", "size": 300000000}').join(", ")}], "stdout": "", "stderr": "", "return_code": 0}`,
    ),
    /payloads of more than/,
  ],
];

function frameOf(json: string): Buffer {
  const prefix = Buffer.alloc(8);
  prefix.writeUInt32LE(json.length);
  return Buffer.concat([prefix, Buffer.from(json)]);
}

for (const [what, bytes, reason] of damaged) {
  test(`refused: ${what}`, () => {
    assert.throws(
      () => new V1Decoder().push(bytes),
      (error) => hasCode(error, "ERR_HOMCC_PROTOCOL") && reason.test(String(error)),
    );
  });
}

test("any bytes are messages, an error, or not enough", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        new V1Decoder().push(bytes);
      } catch (error) {
        assert.ok(hasCode(error, "ERR_HOMCC_PROTOCOL"), String(error));
      }
    }),
  );
});
