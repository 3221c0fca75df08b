import { createReadStream } from "node:fs";
import { DigestBuilder, type Digest, digestOf, sizeBytesOf } from "@homcc/cas/digest";
import type { ClientMessage, ServerMessage } from "@homcc/protocol/messages";
import { HomccError } from "@homcc/observability/error";
import { PossessionProof } from "@homcc/protocol/possession-proof";
import type { OutputBase } from "./output-bases.ts";
import { readSmallFile, smallBlobBytes } from "./small-file.ts";

/** Where what a server asks about is at home: an input's path, an output that was opened, or whatever can be read or is in memory. */
export type ContentAtHome =
  | { readonly path: string }
  | { readonly base: OutputBase }
  | { readonly read: () => Promise<Uint8Array> }
  | { readonly bytes: Uint8Array };

/** A homccd asks for the next one when it has the last one's answer. */
const maxWaitingProofs = 16;

/** How long files are read and hashed before other work has its turn. */
const sliceMs = 4;
const sliceBytes = 256 << 10;

/**
 * Answers `prove`: that this client has the contents of the digests, not only their names. Each is compared with its digest
 * on the way; one that is different by now, cannot be read, or is none of `contentOf` is named as changed, and the server
 * asks for it.
 */
export async function provePossession(
  { nonce, digests }: Extract<ServerMessage, { kind: "prove" }>,
  contentOf: (digest: Digest) => ContentAtHome | undefined,
  signal?: AbortSignal,
): Promise<Extract<ClientMessage, { kind: "proof" }>> {
  const proof = new PossessionProof(nonce);
  const changed: Digest[] = [];
  let sliceEndMs = performance.now() + sliceMs;
  for (const digest of digests) {
    signal?.throwIfAborted();
    const takeBack = proof.mark();
    if (!(await addsTo(proof, digest, contentOf(digest)))) {
      takeBack();
      changed.push(digest);
    }
    if (performance.now() < sliceEndMs) continue;
    await new Promise(setImmediate);
    sliceEndMs = performance.now() + sliceMs;
  }
  return { kind: "proof", hash: proof.finish(), changed };
}

/**
 * The proofs for one job, or one question about a toolchain: one after the other, and of each digest one. A server that has asked knows
 * the answer, and could else have this machine read the same files for ever. What is asked again is named as changed.
 */
export class Proofs {
  readonly #contentOf: (digest: Digest) => ContentAtHome | undefined;
  readonly #signal: AbortSignal;
  readonly #asked = new Set<Digest>();
  #latest: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  /** Of one job only: a server learns nothing of other files. `signal`: nobody wants them any more. */
  constructor(contentOf: (digest: Digest) => ContentAtHome | undefined, signal: AbortSignal) {
    this.#contentOf = contentOf;
    this.#signal = signal;
  }

  async answer(
    message: Extract<ServerMessage, { kind: "prove" }>,
  ): Promise<Extract<ClientMessage, { kind: "proof" }>> {
    if (this.#waiting >= maxWaitingProofs)
      throw new HomccError("ERR_HOMCC_PROTOCOL", "the server asks for proofs faster than they are made");
    this.#waiting += 1;
    try {
      const mine = this.#latest.then(() =>
        provePossession(message, (digest) => this.#once(digest), this.#signal),
      );
      this.#latest = mine.catch(() => {});
      return await mine;
    } finally {
      this.#waiting -= 1;
    }
  }

  #once(digest: Digest): ContentAtHome | undefined {
    if (this.#asked.has(digest)) return undefined;
    const content = this.#contentOf(digest);
    if (content !== undefined) this.#asked.add(digest);
    return content;
  }
}

/** Whether the content is that of the digest, and was added. */
async function addsTo(
  proof: PossessionProof,
  digest: Digest,
  content: ContentAtHome | undefined,
): Promise<boolean> {
  if (content === undefined) return false;
  try {
    if ("bytes" in content) return await addsPieces(proof, digest, slices(content.bytes));
    if ("read" in content) return await addsPieces(proof, digest, slices(await content.read()));
    if ("base" in content) return await addsPieces(proof, digest, slices(await content.base.read()));
    const { path } = content;
    const sizeBytes = sizeBytesOf(digest);
    if (sizeBytes > smallBlobBytes)
      return await addsPieces(proof, digest, createReadStream(path, { end: sizeBytes }));
    const bytes = readSmallFile(path, sizeBytes + 1);
    proof.update(bytes);
    return digestOf(bytes) === digest;
  } catch {
    // Gone, or not ours to read any more: what the job then comes to is found out when the blob is asked for.
    return false;
  }
}

async function addsPieces(
  proof: PossessionProof,
  digest: Digest,
  pieces: AsyncIterable<Uint8Array>,
): Promise<boolean> {
  const builder = new DigestBuilder();
  for await (const piece of pieces) {
    builder.update(piece);
    proof.update(piece);
  }
  return builder.finish() === digest;
}

/** What is in memory, with other work's turn in between. */
async function* slices(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  for (let start = 0; start < bytes.byteLength; start += sliceBytes) {
    if (start > 0) await new Promise(setImmediate);
    yield bytes.subarray(start, start + sliceBytes);
  }
}
