import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { zstdCompressSync } from "node:zlib";
import * as fc from "fast-check";
import { hasCode } from "@homcc/observability/error";
import { maxMessageBytes } from "./limits.ts";
import { bareMessageBytes, historyBytes, MessageHistory } from "./message-history.ts";

const isProtocolError = (error: unknown): boolean => hasCode(error, "ERR_HOMCC_PROTOCOL");

/** Sends `text` over a wire between two ends of one direction; gives what arrives and its length on the wire. */
function cross(sender: MessageHistory, receiver: MessageHistory, text: Buffer): [Buffer, number] {
  const payload = sender.pack(text);
  sender.remember(text);
  const arrived = payload === undefined ? text : receiver.unpack(payload, maxMessageBytes);
  receiver.remember(arrived);
  return [arrived, (payload ?? text).byteLength];
}

test("messages of any length and likeness arrive as they were", () => {
  const words = fc.array(fc.constantFrom('{"kind":"job",', '"path":"/home/me/', "a", "0,1,1,1,2,1", "\0ÿ"), {
    maxLength: 60,
  });
  const text = fc.oneof(
    words.map((parts) => Buffer.from(parts.join(""))),
    fc.uint8Array({ maxLength: 3 * historyBytes }).map((bytes) => Buffer.from(bytes)),
    fc.nat(3 * historyBytes).map((length) => Buffer.alloc(length, "/home/me/include/b.h")),
  );
  fc.assert(
    fc.property(fc.array(text, { maxLength: 40 }), (texts) => {
      const [sender, receiver] = [new MessageHistory(), new MessageHistory()];
      for (const sent of texts) {
        const [arrived, wireBytes] = cross(sender, receiver, sent);
        assert.deepEqual(arrived, sent);
        assert.ok(wireBytes <= sent.byteLength);
      }
    }),
    { numRuns: 60 },
  );
});

test("the longest message arrives too, before and after others", () => {
  const [sender, receiver] = [new MessageHistory(), new MessageHistory()];
  for (const length of [maxMessageBytes, 100, 3 << 20, maxMessageBytes, 5000]) {
    const text = Buffer.from(randomBytes(length / 2).toString("hex"));
    assert.ok(cross(sender, receiver, text)[0].equals(text), `${length}`);
  }
});

test("a message like an earlier one takes little, one like none before no more than alone", () => {
  const [sender, receiver] = [new MessageHistory(), new MessageHistory()];
  const text = randomBytes(1000).toString("hex");
  const alone = cross(sender, receiver, Buffer.from(text))[1];
  assert.ok(alone > 900);
  for (let index = 0; index < 5; index++) {
    const [, wireBytes] = cross(sender, receiver, Buffer.from(`${text}${index}`));
    assert.ok(wireBytes < 30, `${wireBytes}`);
  }
});

test("the names of a thousand new files do not push out what warm jobs have in common", () => {
  const [sender, receiver] = [new MessageHistory(), new MessageHistory()];
  const [head, tail] = [randomBytes(500).toString("hex"), randomBytes(500).toString("hex")];
  cross(sender, receiver, Buffer.from(head + randomBytes(200_000).toString("hex") + tail));
  assert.ok(cross(sender, receiver, Buffer.from(head + tail))[1] < 40);
});

test("short messages go as they are", () => {
  const history = new MessageHistory();
  const text = Buffer.alloc(bareMessageBytes, "a");
  history.remember(Buffer.alloc(1000, "a"));
  assert.equal(history.pack(text), undefined);
});

test("a decompression bomb ends at the limit, damaged frames are protocol errors", () => {
  const history = new MessageHistory();
  history.remember(Buffer.from(randomBytes(2000).toString("hex")));
  const bomb = zstdCompressSync(Buffer.alloc(256 << 20)).subarray(4);
  const before = process.memoryUsage();
  assert.throws(() => history.unpack(bomb, 1 << 20), /decompresses to more than 1048576 bytes/);
  const after = process.memoryUsage();
  assert.ok(after.external + after.arrayBuffers - before.external - before.arrayBuffers < 32 << 20);
  for (const bad of [new Uint8Array(0), bomb.subarray(0, 20), randomBytes(100)]) {
    assert.throws(() => history.unpack(bad, 1 << 20), isProtocolError);
  }
});

test("ends that disagree about what came before notice it", () => {
  const [sender, receiver] = [new MessageHistory(), new MessageHistory()];
  const text = Buffer.from(randomBytes(1000).toString("hex"));
  sender.remember(text);
  const payload = sender.pack(text);
  assert.ok(payload !== undefined);
  assert.throws(() => receiver.unpack(payload, maxMessageBytes), isProtocolError);
});
