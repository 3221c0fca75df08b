import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { execFileSync } from "node:child_process";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { type Digest, digestOf } from "@homcc/cas/digest";
import { PossessionProof } from "@homcc/protocol/possession-proof";
import { type ContentAtHome, Proofs, provePossession } from "./possession.ts";
import { scratchFolder } from "./scratch-folder.fixture.ts";

const nonce = "5a".repeat(32);

function expectedOf(contents: readonly Uint8Array[]): string {
  const proof = new PossessionProof(nonce);
  for (const content of contents) proof.update(content);
  return proof.finish();
}

/** Contents in files of their own and one that is an opened output, and how they are found. */
async function atHome(folder: string, contents: readonly Uint8Array[], base: Uint8Array) {
  const places = new Map<Digest, ContentAtHome>();
  for (const [index, content] of contents.entries()) {
    const path = join(folder, `${index}.h`);
    await writeFile(path, content);
    places.set(digestOf(content), { path });
  }
  const digest = digestOf(base);
  places.set(digest, { base: { digest, read: () => Promise.resolve(base), [Symbol.dispose]: () => {} } });
  return (wanted: Digest): ContentAtHome | undefined => places.get(wanted);
}

const contents = [Buffer.from("small"), randomBytes(300_000), randomBytes(65_537), randomBytes(65_536)];
const base = randomBytes(1_000_000);
const all = [...contents, base];
const message = { kind: "prove" as const, nonce, digests: all.map(digestOf) };

test("all contents, small and large, in the order of the question", async () => {
  await using folder = await scratchFolder();
  const contentOf = await atHome(folder.path, contents, base);
  const proof = await provePossession(message, contentOf);
  assert.deepEqual(proof, { kind: "proof", hash: expectedOf(all), changed: [] });
  const reversed = await provePossession({ ...message, digests: message.digests.toReversed() }, contentOf);
  assert.equal(reversed.hash, expectedOf(all.toReversed()));
});

test("files that changed, grew, vanished, are pipes or nobody's are named, and the others proven", async () => {
  await using folder = await scratchFolder();
  const contentOf = await atHome(folder.path, contents, base);
  const [small = Buffer.of(), large = Buffer.of(), grown = Buffer.of(), gone = Buffer.of()] = contents;
  const [smallFile = "", largeFile = "", grownFile = "", goneFile = ""] = contents.map((_, index) =>
    join(folder.path, `${index}.h`),
  );
  await writeFile(largeFile, randomBytes(300_000));
  await writeFile(grownFile, Buffer.concat([grown, Buffer.from("more")]));
  await rm(goneFile);
  const stranger = digestOf(Buffer.from("/etc/passwd"));
  const first = await provePossession({ ...message, digests: [stranger, ...message.digests] }, contentOf);
  assert.deepEqual(first.changed, [stranger, ...[large, grown, gone].map(digestOf)]);
  assert.equal(first.hash, expectedOf([small, base]));
  await rm(smallFile);
  execFileSync("mkfifo", [smallFile]);
  const second = await provePossession(message, contentOf);
  assert.deepEqual(second.changed, [small, large, grown, gone].map(digestOf));
  assert.equal(second.hash, expectedOf([base]));
});

test("a server gets one proof of each digest, of what the job has, until nobody wants them any more", async () => {
  const bytes = Buffer.from("int a;\n");
  const digest = digestOf(bytes);
  let reads = 0;
  const over = new AbortController();
  const proofs = new Proofs(
    (asked) =>
      asked === digest
        ? {
            read: () => {
              reads += 1;
              return Promise.resolve(bytes);
            },
          }
        : undefined,
    over.signal,
  );
  const prove = (digests: readonly Digest[]): ReturnType<Proofs["answer"]> =>
    proofs.answer({ kind: "prove", nonce: "0".repeat(64), digests: [...digests] });
  const other = digestOf(Buffer.from("another file"));
  assert.deepEqual((await prove([digest, digest, other])).changed, [digest, other]);
  assert.deepEqual((await prove([digest])).changed, [digest]);
  assert.equal(reads, 1);
  const many = await Promise.allSettled(Array.from({ length: 100 }, () => prove([other])));
  assert.equal(many.filter(({ status }) => status === "rejected").length, 84);
  over.abort(new Error("over"));
  await assert.rejects(prove([other]), /over/);
});
