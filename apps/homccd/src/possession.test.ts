import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { digestOf } from "@homcc/cas/digest";
import { encodeDelta } from "@homcc/protocol/delta";
import { maxProvenBytes } from "@homcc/protocol/limits";
import { PossessionProof } from "@homcc/protocol/possession-proof";
import type { ProveMessage } from "./possession.ts";
import {
  type ClientStream,
  eventually,
  fileOf,
  resultWriting,
  served,
  type ServedBody,
  type ServedOptions,
} from "./served-client.fixture.ts";

const source = Buffer.from("int x;\n");
const header = Buffer.from("#define SECRET 42\n");
const never = "0".repeat(64);

/** A client whose server has blobs from somebody else. */
function servedWithBlobs(t: TestContext, options: ServedOptions, body: ServedBody): Promise<void> {
  return served(t, options, async (client, session) => {
    for (const bytes of [source, header]) await session.store.put(digestOf(bytes), [bytes]);
    await body(client, session);
  });
}

function proofOf({ nonce, digests }: ProveMessage, contents: readonly Buffer[]): string {
  const proof = new PossessionProof(nonce);
  for (const digest of digests) {
    const content = contents.find((bytes) => digestOf(bytes) === digest);
    if (content !== undefined) proof.update(content);
  }
  return proof.finish();
}

function kindsOf(job: ClientStream): string[] {
  return job.messages.map(({ kind }) => kind);
}

const both = [fileOf(source), fileOf(header, "/w/a.h")];

test("what others brought is proven once, by one hash, and not sent", (t) =>
  servedWithBlobs(t, {}, async (client, session) => {
    const job = client.compile(both);
    const prove = await job.until("prove");
    assert.deepEqual(new Set(prove.digests), new Set([digestOf(source), digestOf(header)]));
    assert.equal(session.executed.length, 0);
    client.answer(job, { hash: proofOf(prove, [source, header]), changed: [] });
    await job.ended;
    assert.deepEqual(kindsOf(job), ["prove", "queued", "started", "result"]);
    const counted = [source, header].map((bytes) => ({
      client: "address:127.0.0.1",
      digest: digestOf(bytes),
    }));
    assert.deepEqual(new Set(session.counted), new Set(counted), "what it has shown counts for it");
    const again = client.compile(both);
    await again.ended;
    assert.deepEqual(kindsOf(again), ["queued", "started", "result"]);
  }));

test("who knows only the digest, or only some of the contents, has to send them", (t) =>
  servedWithBlobs(t, {}, async (client, session) => {
    let found = 0;
    session.services.results.find = () => {
      found += 1;
      return Promise.reject(new Error("looked up"));
    };
    const guesses = [[], [source], [header]];
    for (const known of guesses) {
      const job = client.compile(both);
      const prove = await job.until("prove");
      client.answer(job, { hash: proofOf(prove, known), changed: [] });
      const { digests } = await job.until("missing");
      assert.deepEqual(new Set(digests), new Set([digestOf(source), digestOf(header)]));
      client.cancel(job);
    }
    assert.equal(found, 0);
    assert.equal(session.executed.length, 0);
    assert.equal(session.client.isOpen, true);
  }));

test("an answer is worth nothing for another job", (t) =>
  servedWithBlobs(t, {}, async (client) => {
    const first = client.compile([fileOf(header)]);
    const stolen = proofOf(await first.until("prove"), [header]);
    client.cancel(first);
    const second = client.compile([fileOf(header)]);
    await second.until("prove");
    client.answer(second, { hash: stolen, changed: [] });
    await second.until("missing");
  }));

test("of a batch only what has changed meanwhile is sent", (t) =>
  servedWithBlobs(t, {}, async (client) => {
    const job = client.compile(both);
    const prove = await job.until("prove");
    client.answer(job, { hash: proofOf(prove, [source]), changed: [digestOf(header)] });
    assert.deepEqual((await job.until("missing")).digests, [digestOf(header)]);
    await client.upload(header);
    await job.until("result");
  }));

test("a question goes out with what is missing", (t) =>
  servedWithBlobs(t, {}, async (client) => {
    const news = Buffer.from("int y;\n");
    const job = client.compile([...both, fileOf(news, "/w/b.h")]);
    const prove = await job.until("prove");
    assert.deepEqual((await job.until("missing")).digests, [digestOf(news)]);
    await client.upload(news);
    client.answer(job, { hash: proofOf(prove, [source, header]), changed: [] });
    await job.until("result");
  }));

test("jobs at once ask about a digest once; when the one that asked ends, another does", (t) =>
  servedWithBlobs(t, {}, async (client) => {
    const first = client.compile([fileOf(header)]);
    await first.until("prove");
    const others = [client.compile([fileOf(header)]), client.compile(both)];
    assert.deepEqual((await others[1]?.until("prove"))?.digests, [digestOf(source)]);
    client.cancel(first);
    const [second, third] = others;
    assert.ok(second !== undefined && third !== undefined);
    client.answer(third, { hash: proofOf(await third.until("prove"), [source]), changed: [] });
    const asked = async (): Promise<ClientStream> => {
      const isAsked = (job: ClientStream): boolean =>
        job.messages.some(
          (message) => message.kind === "prove" && message.digests.includes(digestOf(header)),
        );
      await eventually("somebody is asked", () => others.some(isAsked));
      return others.find(isAsked) ?? second;
    };
    const heir = await asked();
    const prove = heir.messages.findLast((message) => message.kind === "prove");
    assert.ok(prove?.kind === "prove");
    client.answer(heir, { hash: proofOf(prove, [header]), changed: [] });
    await Promise.all(others.map((job) => job.until("result")));
    const asks = others.flatMap((job) => job.messages.filter(({ kind }) => kind === "prove"));
    assert.equal(asks.length, 2);
  }));

test("a client that cannot prove sends, and so does one whose file is too large for it", async (t) => {
  await servedWithBlobs(t, { capabilities: ["zstd"] }, async (client) => {
    const job = client.compile(both);
    assert.deepEqual(
      new Set((await job.until("missing")).digests),
      new Set([digestOf(source), digestOf(header)]),
    );
    await Promise.all([client.upload(source), client.upload(header)]);
    await job.until("result");
    assert.equal(kindsOf(job).includes("prove"), false);
  });
  await servedWithBlobs(t, {}, async (client, session) => {
    const large = Buffer.alloc(maxProvenBytes + 1, "x");
    await session.store.put(digestOf(large), [large]);
    const job = client.compile([fileOf(large)]);
    assert.deepEqual((await job.until("missing")).digests, [digestOf(large)]);
  });
});

test("a file that everybody may read here needs no proof; one that not everybody may does", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "homcc-test-"));
  t.after(() => rm(folder, { recursive: true }));
  await chmod(folder, 0o755);
  await writeFile(join(folder, "public.h"), source, { mode: 0o644 });
  await writeFile(join(folder, "private.h"), header, { mode: 0o640 });
  const files = [fileOf(source, join(folder, "public.h")), fileOf(header, join(folder, "private.h"))];
  await servedWithBlobs(t, { adoptedFolders: [folder] }, async (client) => {
    const job = client.compile(files);
    assert.deepEqual((await job.until("prove")).digests, [digestOf(header)]);
  });
});

test("a delta of what is not proven is not taken", (t) =>
  servedWithBlobs(t, {}, async (client) => {
    const edited = Buffer.from("#define SECRET 43\n");
    const delta = await encodeDelta(edited, header);
    const early = await client.upload(delta, digestOf(edited), digestOf(header));
    assert.deepEqual(
      early.messages.map((message) => message.kind === "rejected" && message.reason),
      ["base-missing"],
    );
    const job = client.compile([fileOf(header)]);
    client.answer(job, { hash: proofOf(await job.until("prove"), [header]), changed: [] });
    await job.ended;
    const late = await client.upload(delta, digestOf(edited), digestOf(header));
    assert.deepEqual(late.messages, [{ kind: "stored" }]);
  }));

const object = randomBytes(5000);
const tellsObject: ServedOptions = {
  execute: (action) => resultWriting(action.outputs[0]?.path ?? "", object),
};
const outputs = [{ path: "/w/a.o", exists: true, base: digestOf(object) }];

test("a base of an output is proven while the compiler runs", (t) =>
  servedWithBlobs(t, tellsObject, async (client, session) => {
    await session.store.put(digestOf(object), [object]);
    await client.upload(source);
    const job = client.compile([fileOf(source)], { outputs });
    const prove = await job.until("prove");
    assert.deepEqual(prove.digests, [digestOf(object)]);
    await job.until("started");
    client.answer(job, { hash: proofOf(prove, [object]), changed: [] });
    assert.equal((await job.until("result")).outputs[0]?.kind, "unchanged");
  }));

test("nothing is told by a base that is not proven", (t) =>
  servedWithBlobs(t, tellsObject, async (client, session) => {
    await session.store.put(digestOf(object), [object]);
    await client.upload(source);
    const job = client.compile([fileOf(source)], { outputs });
    await job.until("prove");
    client.answer(job, { hash: never, changed: [] });
    assert.equal((await job.until("result")).outputs[0]?.kind, "written");
    await job.ended;
    assert.deepEqual(job.bytes(), object);
  }));

test("a client that never answers holds nobody up, and leaves nothing", (t) =>
  servedWithBlobs(t, tellsObject, async (client, session) => {
    const silent = client.compile(both);
    await silent.until("prove");
    const own = Buffer.from("int own;\n");
    await client.upload(own);
    await client.compile([fileOf(own, "/w/own.c")]).until("result");
    client.cancel(silent);
    await eventually("all given back", () => session.store.pins === 0);
  }));
