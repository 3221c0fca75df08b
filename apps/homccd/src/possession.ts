import { randomBytes } from "node:crypto";
import type { BlobStore } from "@homcc/cas/blob-store";
import { type Digest, emptyDigest, sizeBytesOf } from "@homcc/cas/digest";
import { unlessAborted } from "@homcc/observability/unless-aborted";
import { maxProvenBytes, maxProvenDigests } from "@homcc/protocol/limits";
import type { ClientMessage, ServerMessage } from "@homcc/protocol/messages";
import { PossessionProof } from "@homcc/protocol/possession-proof";
import { SlotQueue } from "@homcc/scheduler/slots";

export type ProveMessage = Extract<ServerMessage, { kind: "prove" }>;
export type ProofMessage = Extract<ClientMessage, { kind: "proof" }>;

/** Asks the client, on the stream of one job; rejects when that job ends without an answer. */
export type AskForProof = (message: ProveMessage) => Promise<ProofMessage>;

/**
 * Digests of one session that are remembered, 150 bytes each: as many as one job may name. Of one that is forgotten the
 * client is asked again.
 */
const maxRemembered = 131_072;

/** Proofs that one server checks at once; each holds blobs of at most `maxProvenBytes` together. */
const checks = new SlotQueue(2);

/** Blobs that one check reads at once: most of what small ones take is waiting for the thread pool. */
const readAtOnce = 32;

/** Hashed in one go; then it is everybody else's turn. */
const pieceBytes = 256 << 10;

/**
 * What one client has shown to have: a digest alone, which may have been read anywhere, gives nobody what is behind it.
 * Nothing is remembered beyond the connection.
 */
export class Possession {
  readonly #store: Pick<BlobStore, "read">;
  readonly #canProve: boolean;
  readonly #onShown: (digest: Digest) => void;
  readonly #proven = new Set<Digest>();
  /** Digests that one job has asked about, for others that name them, too. Never rejects. */
  readonly #asked = new Map<Digest, Promise<void>>();

  /** `canProve`: whether the client has the capability. `onShown` hears of each digest that is not known of yet. */
  constructor(
    store: Pick<BlobStore, "read">,
    canProve: boolean,
    onShown: (digest: Digest) => void = () => {},
  ) {
    this.#store = store;
    this.#canProve = canProve;
    this.#onShown = onShown;
  }

  /** The client brought it, or got it from us, or everybody has it. */
  note(digest: Digest): void {
    if (this.#proven.has(digest)) return;
    if (this.#proven.size >= maxRemembered) {
      const [oldest] = this.#proven;
      if (oldest !== undefined) this.#proven.delete(oldest);
    }
    this.#proven.add(digest);
    this.#onShown(digest);
  }

  isProven(digest: Digest): boolean {
    return this.#proven.has(digest) || digest === emptyDigest;
  }

  /** Whether the client can be asked for a proof; otherwise only for the blob. */
  isProvable(digest: Digest): boolean {
    return this.#canProve && sizeBytesOf(digest) <= maxProvenBytes;
  }

  /**
   * Asks for what is not proven yet, in as few messages as it takes, the first of them before this returns. All digests
   * are in the store and pinned. Resolves with those that have to be sent; rejects when `ask` or `signal` does. What
   * another job asks about is not asked twice.
   */
  async prove(digests: readonly Digest[], ask: AskForProof, signal: AbortSignal): Promise<Set<Digest>> {
    const failed = new Set<Digest>();
    const open = new Set<Digest>();
    for (const digest of digests) {
      if (this.isProven(digest)) continue;
      if (this.isProvable(digest)) open.add(digest);
      else failed.add(digest);
    }
    while (open.size > 0) {
      const others = new Set([...open].flatMap((digest) => this.#asked.get(digest) ?? []));
      const own = [...open].filter((digest) => !this.#asked.has(digest)).slice(0, maxProvenDigests);
      if (own.length > 0) for (const digest of await this.#proveNow(own, ask)) failed.add(digest);
      for (const digest of own) open.delete(digest);
      await unlessAborted(Promise.all(others), signal);
      for (const digest of open) if (this.isProven(digest)) open.delete(digest);
    }
    return failed;
  }

  async #proveNow(digests: readonly Digest[], ask: AskForProof): Promise<readonly Digest[]> {
    const answered = Promise.withResolvers<void>();
    for (const digest of digests) this.#asked.set(digest, answered.promise);
    try {
      const nonce = randomBytes(32).toString("hex");
      const { hash, changed } = await ask({ kind: "prove", nonce, digests: [...digests] });
      const gone = new Set(changed);
      const claimed = digests.filter((digest) => !gone.has(digest));
      if ((await this.#proofOf(nonce, claimed)) !== hash) return digests;
      for (const digest of claimed) this.note(digest);
      return digests.filter((digest) => gone.has(digest));
    } finally {
      for (const digest of digests) this.#asked.delete(digest);
      answered.resolve();
    }
  }

  /** `undefined` when a blob is not in the store any more. */
  async #proofOf(nonce: string, digests: readonly Digest[]): Promise<string | undefined> {
    using _slot = await checks.acquire();
    const proof = new PossessionProof(nonce);
    for (const group of groups(digests)) {
      for (const bytes of await Promise.all(group.map((digest) => this.#store.read(digest)))) {
        if (bytes === undefined) return undefined;
        for (let start = 0; start < bytes.byteLength; start += pieceBytes) {
          if (start > 0) await new Promise(setImmediate);
          proof.update(bytes.subarray(start, start + pieceBytes));
        }
      }
    }
    return proof.finish();
  }
}

/** Neighbours that may be in memory together. */
function groups(digests: readonly Digest[]): Digest[][] {
  const made: Digest[][] = [];
  let roomBytes = 0;
  for (const digest of digests) {
    const sizeBytes = sizeBytesOf(digest);
    const last = made.at(-1);
    if (last !== undefined && last.length < readAtOnce && sizeBytes <= roomBytes) last.push(digest);
    else {
      made.push([digest]);
      roomBytes = maxProvenBytes;
    }
    roomBytes -= sizeBytes;
  }
  return made;
}
