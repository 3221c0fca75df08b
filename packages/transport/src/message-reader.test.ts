import assert from "node:assert/strict";
import { test } from "node:test";
import { hasCode } from "@homcc/observability/error";
import { type Frame, frameFlags, frameTypes } from "@homcc/protocol/frame";
import { type Agreement, agree, knownCapabilities } from "@homcc/protocol/hello";
import { type ClientMessage, clientMessages } from "@homcc/protocol/messages";
import { exampleJob } from "./fixtures/example-messages.ts";
import { MessageReader } from "./message-reader.ts";
import { MessageWriter } from "./message-writer.ts";

const withHistory = agree({ capabilities: knownCapabilities });
const alone = agree({ capabilities: ["zstd"] });
const plain = agree({ capabilities: [] });

/** What goes on the wire of a conversation. */
function conversation(agreement: Agreement, messages: readonly ClientMessage[]): Frame[] {
  const writer = new MessageWriter(clientMessages, "server", agreement);
  return messages.map((message, index) => {
    const written = writer.write(message);
    writer.sent(written);
    return { type: frameTypes.message, flags: written.flags, stream: index + 1, payload: written.payload };
  });
}

const jobs = ["a", "b", "c", "d"].map((name) => exampleJob({ label: name.repeat(2_000) }));

for (const [name, agreement, flags] of [
  ["with those before them", withHistory, frameFlags.history],
  ["each alone", alone, frameFlags.zstd],
  ["not at all", plain, 0],
] as const)
  test(`messages are read that were compressed ${name}`, () => {
    const reader = new MessageReader(clientMessages, agreement.history);
    for (const [index, frame] of conversation(agreement, jobs).entries()) {
      assert.equal(frame.flags, flags);
      assert.deepEqual(reader.read(frame, reader.remember(frame)), jobs[index]);
    }
  });

test("a message that nobody reads is remembered for those after it", () => {
  const [first, late, third] = conversation(withHistory, jobs);
  assert.ok(first !== undefined && late !== undefined && third !== undefined);
  assert.ok(late.payload.byteLength * 2 < first.payload.byteLength, "it counts on the first");
  const reader = new MessageReader(clientMessages, true);
  for (const frame of [first, late]) reader.remember(frame);
  assert.deepEqual(reader.read(third, reader.remember(third)), jobs[2]);
  const forgetful = new MessageReader(clientMessages, true);
  forgetful.remember(first);
  assert.throws(
    () => forgetful.remember(third),
    (error) => hasCode(error, "ERR_HOMCC_PROTOCOL"),
  );
});

test("a message of a later version is none", () => {
  const reader = new MessageReader(clientMessages, true);
  const payload = Buffer.from(JSON.stringify({ kind: "of-a-later-version" }));
  const frame = { type: frameTypes.message, flags: 0, stream: 1, payload };
  assert.equal(reader.read(frame, reader.remember(frame)), undefined);
});
