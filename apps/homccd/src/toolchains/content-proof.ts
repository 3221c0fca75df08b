import { randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import type { BlobStore } from "@homcc/cas/blob-store";
import type { Digest } from "@homcc/cas/digest";
import { PossessionProof } from "@homcc/protocol/possession-proof";
import { SlotQueue } from "@homcc/scheduler/slots";
import type { AskForProof } from "../possession.ts";

/** Looking for files, hashing and laying out take up to 1 s of a processor each: so many at a time, whoever asks. */
const work = new SlotQueue(2);

/** Never while a client is waited for: it would hold up all others. */
export async function inTurn<Result>(task: () => Promise<Result>): Promise<Result> {
  using _turn = await work.acquire();
  return await task();
}

type Contents = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/**
 * Asks the client whether it has the contents of `digests`, of any size: they are read in pieces, where `Possession` holds them in
 * memory. All are in the store and pinned. Gives those that it has; none when the proof is wrong.
 */
export async function proveContents(
  digests: readonly Digest[],
  contentOf: (digest: Digest) => Promise<Contents | undefined>,
  ask: AskForProof,
): Promise<readonly Digest[]> {
  const nonce = randomBytes(32).toString("hex");
  const { hash, changed } = await ask({ kind: "prove", nonce, digests: [...digests] });
  const gone = new Set(changed);
  const claimed = digests.filter((digest) => !gone.has(digest));
  return (await inTurn(() => proofOf(nonce, claimed, contentOf))) === hash ? claimed : [];
}

async function proofOf(
  nonce: string,
  digests: readonly Digest[],
  contentOf: (digest: Digest) => Promise<Contents | undefined>,
): Promise<string | undefined> {
  const proof = new PossessionProof(nonce);
  for (const digest of digests) {
    const content = await contentOf(digest);
    if (content === undefined) return undefined;
    for await (const piece of content) proof.update(piece);
  }
  return proof.finish();
}

/** What the store holds of a digest, in pieces where it can. */
export async function storedContent(
  store: Pick<BlobStore, "fileOf" | "read">,
  digest: Digest,
): Promise<Contents | undefined> {
  const file = await store.fileOf(digest);
  if (file !== undefined) return createReadStream(file);
  const bytes = await store.read(digest);
  return bytes === undefined ? undefined : [bytes];
}
