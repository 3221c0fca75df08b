import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { hasCode } from "@homcc/observability/error";
import { agree, knownCapabilities } from "@homcc/protocol/hello";
import { clientMessages } from "@homcc/protocol/messages";
import { exampleJob } from "./fixtures/example-messages.ts";
import { MessageWriter } from "./message-writer.ts";

const agreement = agree({ capabilities: knownCapabilities });

test("only what was sent counts for the messages after it", () => {
  const job = exampleJob({ label: randomBytes(200).toString("hex") });
  const writer = new MessageWriter(clientMessages, "server", agreement);
  const first = writer.write(job);
  assert.deepEqual(writer.write(job).payload, first.payload, "the first was not sent");
  writer.sent(first);
  assert.ok(writer.write(job).payload.byteLength < first.payload.byteLength / 4);
});

test("a message that the peer does not take is refused, by its length on the wire", () => {
  const label = "x".repeat(3_000);
  const limited = (maxOutgoingFrameBytes: number, zstd: boolean) =>
    new MessageWriter(clientMessages, "server:3126", {
      ...agreement,
      history: false,
      zstd,
      maxOutgoingFrameBytes,
    });
  assert.throws(
    () => limited(2_000, false).write(exampleJob({ label })),
    (error) =>
      hasCode(error, "ERR_HOMCC_PROTOCOL") &&
      /^a message of \d+ bytes for server:3126; it takes 2000$/.test(error.message),
  );
  assert.ok(limited(2_000, true).write(exampleJob({ label })).payload.byteLength < 2_000);
});
