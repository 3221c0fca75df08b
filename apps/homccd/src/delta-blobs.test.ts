import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { digestOf } from "@homcc/cas/digest";
import { encodeDelta } from "@homcc/protocol/delta";
import { maxBlobDeltaBytes } from "@homcc/protocol/limits";
import type { JobMessage } from "@homcc/protocol/messages";
import { Client, serveClient } from "./served-client.fixture.ts";

const toolchain: JobMessage["toolchain"] = {
  digest: digestOf(Buffer.from("none")),
  driver: "/none",
  family: "gcc",
  version: "none",
};

const base = randomBytes(50_000);
const edited = Buffer.concat([base.subarray(0, 20_000), Buffer.from("edited"), base.subarray(20_000)]);

test("a blob comes as what makes it differ from one that is here", async () => {
  await using session = await serveClient();
  const client = new Client(session.client, toolchain);
  await client.upload(base);
  const before = session.client.sentBytes;
  const upload = await client.upload(await encodeDelta(edited, base), digestOf(edited), digestOf(base));
  assert.deepEqual(upload.messages, [{ kind: "stored" }]);
  assert.deepEqual(Buffer.from((await session.store.read(digestOf(edited))) ?? []), edited);
  assert.ok(session.client.sentBytes - before < 400, `${session.client.sentBytes - before}`);
});

test("many at once, more than are read at a time", async () => {
  await using session = await serveClient();
  const client = new Client(session.client, toolchain);
  await client.upload(base);
  const versions = Array.from({ length: 40 }, (_, index) => Buffer.concat([base, Buffer.from(`${index}`)]));
  const uploads = await Promise.all(
    versions.map(async (bytes) =>
      client.upload(await encodeDelta(bytes, base), digestOf(bytes), digestOf(base)),
    ),
  );
  for (const { messages } of uploads) assert.deepEqual(messages, [{ kind: "stored" }]);
});

test("a base that is not here is said to be missing, and nothing is stored", async () => {
  await using session = await serveClient();
  const client = new Client(session.client, toolchain);
  const upload = await client.upload(await encodeDelta(edited, base), digestOf(edited), digestOf(base));
  const [answer] = upload.messages;
  assert.ok(answer?.kind === "rejected");
  assert.equal(answer.reason, "base-missing");
  assert.equal((await session.store.findMissing([digestOf(edited)])).length, 1);
});

test("what makes other bytes, or none, is rejected and stored under no name", async () => {
  await using session = await serveClient();
  const client = new Client(session.client, toolchain);
  await client.upload(base);
  const delta = await encodeDelta(edited, base);
  const wrongDelta = await encodeDelta(Buffer.concat([edited.subarray(1), Buffer.from("!")]), base);
  const bomb = await encodeDelta(Buffer.alloc(1 << 20), base);
  for (const bytes of [delta.subarray(0, -1), wrongDelta, Buffer.alloc(0), bomb, randomBytes(200_000)]) {
    const upload = await client.upload(bytes, digestOf(edited), digestOf(base));
    const [answer] = upload.messages;
    assert.ok(answer?.kind === "rejected");
    assert.equal(answer.reason, "digest-mismatch");
  }
  assert.equal((await session.store.findMissing([digestOf(edited)])).length, 1);
  assert.ok((await client.upload(delta, digestOf(edited), digestOf(base))).messages[0]?.kind === "stored");
});

test("a large blob has to come whole", async () => {
  await using session = await serveClient();
  const client = new Client(session.client, toolchain);
  const large = randomBytes(maxBlobDeltaBytes + 1);
  await client.upload(large);
  for (const [bytes, from] of [
    [edited, large],
    [Buffer.concat([large, edited]), large],
  ] as const) {
    const upload = await client.upload(await encodeDelta(bytes, from), digestOf(bytes), digestOf(from));
    const [answer] = upload.messages;
    assert.ok(answer?.kind === "rejected");
    assert.equal(answer.reason, "failed");
  }
});
