import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type Digest, digestOf } from "@homcc/cas/digest";
import { manifestDigest } from "@homcc/compiler/toolchain-manifest";
import type { Toolchain, ToolchainEntry } from "@homcc/compiler/toolchain";
import { hasCode } from "@homcc/observability/error";
import type { ClientMessage, ServerMessage } from "@homcc/protocol/messages";
import { connectPair } from "@homcc/transport/fixtures/loopback-server";
import { pieceBytes } from "./file-pieces.ts";
import { ToolchainRefused, ToolchainUpload, type UploadWatch } from "./toolchain-upload.ts";

interface Conversation {
  readonly toolchain: Toolchain;
  readonly bytes: { readonly small: Buffer; readonly large: Buffer };
  /** Blobs that arrived, by digest. */
  readonly blobs: Map<Digest, Buffer>;
  readonly progress: { planned: number; present: number; stored: number };
  run(): Promise<void>;
}

/** `answer`: what the server says to a question. */
async function converse(
  answer: (question: ClientMessage, told: Conversation) => ServerMessage,
  body: (told: Conversation) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "homcc-test-"));
  await using pair = await connectPair();
  await using ended = new AsyncDisposableStack();
  ended.defer(() => rm(folder, { recursive: true }));
  const bytes = { small: randomBytes(500), large: randomBytes(2 * pieceBytes + 10) };
  await writeFile(join(folder, "gcc"), bytes.small);
  await writeFile(join(folder, "cc1"), bytes.large);
  const entries: ToolchainEntry[] = [
    { kind: "file", path: join(folder, "cc1"), digest: digestOf(bytes.large), executable: true },
    { kind: "file", path: join(folder, "gcc"), digest: digestOf(bytes.small), executable: true },
  ];
  const toolchain: Toolchain = {
    family: "gcc",
    version: "gcc 15",
    driver: join(folder, "gcc"),
    digest: manifestDigest(entries),
    entries,
  };
  const blobs = new Map<Digest, Buffer>();
  const progress = { planned: 0, present: 0, stored: 0 };
  const watch: UploadWatch = {
    turn: () => Promise.resolve({ [Symbol.dispose]: () => {} }),
    planned: (size) => (progress.planned = size),
    present: (size) => (progress.present += size),
    stored: (size) => (progress.stored += size),
  };
  const told: Conversation = {
    toolchain,
    bytes,
    blobs,
    progress,
    run: () => new ToolchainUpload(pair.client, toolchain, watch, new AbortController().signal).run(),
  };
  pair.server.serve((stream, message) => {
    if (message.kind !== "blob") {
      pair.server.send(stream, answer(message, told), { end: true });
      return undefined;
    }
    const chunks: Uint8Array[] = [];
    return {
      onMessage: () => {},
      onData: (chunk) => void chunks.push(Buffer.from(chunk)),
      onEnd: () => {
        const whole = Buffer.concat(chunks);
        blobs.set(digestOf(whole), whole);
        pair.server.send(stream, { kind: "stored" }, { end: true });
      },
    };
  });
  await body(told);
}

/** A server that keeps what it is sent. */
function honest(question: ClientMessage, { toolchain, blobs, bytes }: Conversation): ServerMessage {
  const lacking = (digests: readonly Digest[]): ServerMessage => {
    const digestsLacking = digests.filter((digest) => !blobs.has(digest));
    return digestsLacking.length === 0 ? { kind: "stored" } : { kind: "missing", digests: digestsLacking };
  };
  if (question.kind === "pieces") {
    const answer = lacking(question.pieces);
    if (answer.kind === "stored") blobs.set(question.digest, bytes.large);
    return answer;
  }
  if (!blobs.has(toolchain.digest)) return { kind: "missing", digests: [toolchain.digest] };
  return lacking(toolchain.entries.flatMap((entry) => (entry.kind === "file" ? [entry.digest] : [])));
}

test("the manifest, small files whole, large ones in pieces; what was there is not sent", async () => {
  await converse(honest, async (told) => {
    const first = told.bytes.large.subarray(0, pieceBytes);
    told.blobs.set(digestOf(first), first);
    const there = told.blobs.size;
    await told.run();
    // Manifest, driver, two pieces, and the file that they make.
    assert.equal(told.blobs.size - there, 5);
    assert.deepEqual(told.progress, {
      planned: 500 + told.bytes.large.length,
      present: pieceBytes,
      stored: 500 + pieceBytes + 10,
    });
  });
});

test("a server gets nothing but files of the toolchain, whatever it asks for", async () => {
  const secret = digestOf(Buffer.from("/etc/shadow"));
  await converse(
    (question, told) =>
      told.blobs.has(told.toolchain.digest) ? { kind: "missing", digests: [secret] } : honest(question, told),
    async (told) => {
      await assert.rejects(told.run(), (error) => hasCode(error, "ERR_HOMCC_PROTOCOL"));
      assert.deepEqual([...told.blobs.keys()], [told.toolchain.digest]);
    },
  );
});

test("a server that keeps nothing is not sent everything for ever", async () => {
  let questions = 0;
  await converse(
    (question, told) => {
      if (question.kind === "toolchain" && told.blobs.has(told.toolchain.digest)) questions += 1;
      const answer = honest(question, told);
      if (question.kind === "toolchain" && answer.kind === "stored") {
        const { digest } = told.toolchain;
        for (const blob of told.blobs.keys()) if (blob !== digest) told.blobs.delete(blob);
        return { kind: "missing", digests: [digestOf(told.bytes.small)] };
      }
      return answer;
    },
    async (told) => {
      await assert.rejects(told.run(), (error) => hasCode(error, "ERR_HOMCC_STORE_FULL"));
      assert.ok(questions < 5, String(questions));
    },
  );
});

test("a refusal, and a file that is another by now", async () => {
  await converse(
    () => ({ kind: "refused", reason: "toolchain-differs", message: "no" }),
    async (told) => {
      await assert.rejects(told.run(), (error) => error instanceof ToolchainRefused);
    },
  );
  for (const index of [0, 1]) {
    await converse(honest, async (told) => {
      const entry = told.toolchain.entries[index];
      assert.ok(entry !== undefined);
      await writeFile(entry.path, randomBytes(index === 0 ? told.bytes.large.length : 500));
      await assert.rejects(told.run(), (error) => hasCode(error, "ERR_HOMCC_INPUT_CHANGED"));
    });
  }
});
