import { HomccError } from "@homcc/observability/error";
import type { Pin } from "./blob-store.ts";
import { emptyDigest, sizeBytesOf, type Digest } from "./digest.ts";

/** What a blob takes of the bound: whole blocks, as the file system counts it. */
const blockBytes = 4096;

export function chargeOf(digest: Digest): number {
  return wholeBlocks(sizeBytesOf(digest));
}

function wholeBlocks(bytes: number): number {
  return Math.ceil(bytes / blockBytes) * blockBytes;
}

/** There is no room for `digest` below the bound of a store: what is pinned or being written may not go. */
function storeFull(digest: Digest, maxBytes: number): HomccError {
  const message = `no room for ${sizeBytesOf(digest)} more bytes in a blob store of ${maxBytes}`;
  return new HomccError("ERR_HOMCC_STORE_FULL", message, { hint: "give the store more space" });
}

/** Room for one blob, taken as its bytes come, until released; releasing twice is harmless. */
export interface Reservation {
  /**
   * Room for so many bytes more. Takes out of the index what has to go for them and gives it: the caller deletes those.
   * Throws ERR_HOMCC_STORE_FULL, and changes nothing, when the bound cannot be kept.
   */
  grow(bytes: number): readonly Digest[];
  release(): void;
}

/**
 * Which blobs a size-bounded store holds, in the order of their use, and who may not be evicted. `Stamp` is what the
 * store remembers of each.
 */
export class LruIndex<Stamp> {
  readonly maxBytes: number;
  /** Oldest use first: a Map keeps the order of insertion. */
  readonly #blobs = new Map<Digest, Stamp>();
  readonly #pins = new Map<Digest, number>();
  readonly #onUse: (digest: Digest) => void;
  #usedBytes = 0;
  #reservedBytes = 0;

  /** `onUse` hears of every use, in order. */
  constructor(maxBytes: number, onUse: (digest: Digest) => void = () => {}) {
    this.maxBytes = maxBytes;
    this.#onUse = onUse;
  }

  get size(): number {
    return this.#blobs.size;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  has(digest: Digest): boolean {
    return this.#blobs.has(digest);
  }

  get(digest: Digest): Stamp | undefined {
    return this.#blobs.get(digest);
  }

  /** Least recently used first. */
  digests(): IterableIterator<Digest> {
    return this.#blobs.keys();
  }

  /** As `BlobStore.findMissing`. */
  findMissing(digests: Iterable<Digest>): Digest[] {
    const missing = new Set<Digest>();
    for (const digest of digests) {
      if (digest !== emptyDigest && !this.touch(digest)) missing.add(digest);
    }
    return [...missing];
  }

  /** Adds it, or gives it another stamp; either counts as a use. */
  set(digest: Digest, stamp: Stamp): void {
    if (!this.#blobs.delete(digest)) this.#usedBytes += chargeOf(digest);
    this.#blobs.set(digest, stamp);
    this.#onUse(digest);
  }

  /** False when it is not held. */
  touch(digest: Digest): boolean {
    const stamp = this.#blobs.get(digest);
    if (stamp === undefined) return false;
    this.#blobs.delete(digest);
    this.#blobs.set(digest, stamp);
    this.#onUse(digest);
    return true;
  }

  delete(digest: Digest): boolean {
    if (!this.#blobs.delete(digest)) return false;
    this.#usedBytes -= chargeOf(digest);
    return true;
  }

  /**
   * Begins to take room for a blob that is being written. Throws ERR_HOMCC_STORE_FULL when there cannot be enough. Nothing
   * is evicted before bytes are there: a client that only announces a large blob costs nobody anything.
   */
  reserve(digest: Digest): Reservation {
    if (!this.#roomFor(chargeOf(digest)).enough) throw storeFull(digest, this.maxBytes);
    let bytes = 0;
    let reservedBytes = 0;
    return {
      grow: (more) => {
        const added = wholeBlocks(bytes + more) - reservedBytes;
        const { victims, enough } = this.#roomFor(added);
        if (!enough) throw storeFull(digest, this.maxBytes);
        this.#take(victims);
        bytes += more;
        reservedBytes += added;
        this.#reservedBytes += added;
        return victims;
      },
      release: () => {
        this.#reservedBytes -= reservedBytes;
        reservedBytes = 0;
      },
    };
  }

  /** Takes the least recently used blobs of together `bytes` or more out of the index, or all that may go. */
  evict(bytes: number): Digest[] {
    const { victims } = this.#oldest(bytes);
    this.#take(victims);
    return victims;
  }

  /** Until released, none of `digests` is evicted. They need not be here yet. */
  pin(digests: Iterable<Digest>): Pin {
    const pinned = new Set(digests);
    for (const digest of pinned) this.#pins.set(digest, (this.#pins.get(digest) ?? 0) + 1);
    return {
      release: () => {
        for (const digest of pinned) this.#unpin(digest);
        pinned.clear();
      },
    };
  }

  #unpin(digest: Digest): void {
    const count = this.#pins.get(digest) ?? 0;
    if (count > 1) this.#pins.set(digest, count - 1);
    else this.#pins.delete(digest);
  }

  #roomFor(bytes: number): { readonly victims: Digest[]; readonly enough: boolean } {
    return this.#oldest(this.#usedBytes + this.#reservedBytes + bytes - this.maxBytes);
  }

  #oldest(bytes: number): { readonly victims: Digest[]; readonly enough: boolean } {
    const victims: Digest[] = [];
    let found = 0;
    for (const digest of this.#blobs.keys()) {
      if (found >= bytes) break;
      if (this.#pins.has(digest)) continue;
      victims.push(digest);
      found += chargeOf(digest);
    }
    return { victims, enough: found >= bytes };
  }

  #take(victims: readonly Digest[]): void {
    for (const digest of victims) this.delete(digest);
  }
}
