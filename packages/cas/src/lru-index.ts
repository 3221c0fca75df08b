import { HomccError } from "@homcc/observability/error";
import type { Pin } from "./blob-store.ts";
import { chargeOf, wholeBlocks } from "./charge.ts";
import { emptyDigest, sizeBytesOf, type Digest } from "./digest.ts";
import { type StorageAccount, StorageAccounts } from "./storage-accounts.ts";

/** There is no room for `digest` below the bound of a store: what is pinned, being written or another's share may not go. */
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
 * Blobs that one index knows: each takes some 350 bytes of memory, with what is remembered of its owner, 730 MB together. A store that is full
 * of the smallest files has them at 8 GiB.
 */
const defaultMaxBlobs = 1 << 21;

export interface LruIndexOptions {
  /** However small they are: none counts for less than this part of the bound. */
  readonly maxBlobs?: number;
  /** Hears of every use, in order. */
  readonly onUse?: (digest: Digest) => void;
  readonly accounts?: StorageAccounts;
}

/**
 * Which blobs a size-bounded store holds, in the order of their use, who may not be evicted, and for whom each counts. `Stamp` is
 * what the store remembers of each.
 *
 * Room is made of the blobs of clients that have more than their limit, down to the limit, each client's least recently used
 * first; then of all blobs in the order of their use. A client that is beyond its limit even so gets no blob of a client
 * that is not: for it only those go that count for nobody.
 */
export class LruIndex<Stamp> {
  readonly maxBytes: number;
  readonly accounts: StorageAccounts;
  /** Oldest use first: a Map keeps the order of insertion. */
  readonly #blobs = new Map<Digest, Stamp>();
  readonly #pins = new Map<Digest, number>();
  readonly #onUse: (digest: Digest) => void;
  readonly #minChargeBytes: number;
  #usedBytes = 0;
  #reservedBytes = 0;

  constructor(maxBytes: number, options: LruIndexOptions = {}) {
    this.maxBytes = maxBytes;
    const maxBlobs = options.maxBlobs ?? defaultMaxBlobs;
    this.#minChargeBytes = maxBytes === Infinity ? 0 : Math.floor(maxBytes / maxBlobs);
    this.#onUse = options.onUse ?? (() => {});
    this.accounts = options.accounts ?? new StorageAccounts();
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
    if (!this.#blobs.delete(digest)) this.#usedBytes += this.#chargeOf(digest);
    this.#blobs.set(digest, stamp);
    this.#used(digest);
  }

  /** False when it is not held. */
  touch(digest: Digest): boolean {
    const stamp = this.#blobs.get(digest);
    if (stamp === undefined) return false;
    this.#blobs.delete(digest);
    this.#blobs.set(digest, stamp);
    this.#used(digest);
    return true;
  }

  /** The client has brought or shown it, or it was made for it. Nothing when it is not held. */
  countFor(client: string, digest: Digest): void {
    if (this.has(digest)) this.accounts.count(client, digest);
  }

  delete(digest: Digest): boolean {
    if (!this.#blobs.delete(digest)) return false;
    this.#usedBytes -= this.#chargeOf(digest);
    this.accounts.remove(digest);
    return true;
  }

  /**
   * Begins to take room for a blob that is being written, which counts for `client`. Throws ERR_HOMCC_STORE_FULL when there cannot
   * be enough. Nothing is evicted before bytes are there: a client that only announces a large blob costs nobody anything.
   */
  reserve(digest: Digest, client?: string): Reservation {
    const account = client === undefined ? undefined : this.accounts.of(client);
    if (!this.#roomFor(this.#chargeOf(digest), account).enough) throw storeFull(digest, this.maxBytes);
    let bytes = 0;
    let reservedBytes = 0;
    const take = (added: number): void => {
      reservedBytes += added;
      this.#reservedBytes += added;
      if (account !== undefined) account.reservedBytes += added;
    };
    return {
      grow: (more) => {
        const added = Math.max(this.#minChargeBytes, wholeBlocks(bytes + more)) - reservedBytes;
        const { victims, enough } = this.#roomFor(added, account);
        if (!enough) throw storeFull(digest, this.maxBytes);
        this.#take(victims);
        bytes += more;
        take(added);
        return victims;
      },
      release: () => take(-reservedBytes),
    };
  }

  /** Takes blobs that take together `bytes` or more of a disk out of the index, or all that may go. */
  evict(bytes: number, client?: string): readonly Digest[] {
    const account = client === undefined ? undefined : this.accounts.of(client);
    const { victims } = this.#victims(bytes, 0, account, chargeOf);
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

  #chargeOf(digest: Digest): number {
    return Math.max(this.#minChargeBytes, chargeOf(digest));
  }

  #used(digest: Digest): void {
    this.accounts.used(digest);
    this.#onUse(digest);
  }

  #unpin(digest: Digest): void {
    const count = this.#pins.get(digest) ?? 0;
    if (count > 1) this.#pins.set(digest, count - 1);
    else this.#pins.delete(digest);
  }

  #roomFor(
    bytes: number,
    account: StorageAccount | undefined,
  ): { readonly victims: readonly Digest[]; readonly enough: boolean } {
    const lackingBytes = this.#usedBytes + this.#reservedBytes + bytes - this.maxBytes;
    return this.#victims(lackingBytes, bytes, account, (digest) => this.#chargeOf(digest));
  }

  /**
   * `newBytes` are what `account` is about to have more. Where a disk is full before the store is, the limit is the same share
   * of what the store has.
   */
  #victims(
    bytes: number,
    newBytes: number,
    account: StorageAccount | undefined,
    worthOf: (digest: Digest) => number,
  ): { readonly victims: readonly Digest[]; readonly enough: boolean } {
    if (bytes <= 0) return { victims: [], enough: true };
    const victims = new Set<Digest>();
    let leftBytes = bytes;
    const take = (digest: Digest): void => {
      victims.add(digest);
      leftBytes -= worthOf(digest);
    };
    const portion = Math.min(1, (this.#usedBytes + this.#reservedBytes + newBytes) / this.maxBytes);
    let isBeyond = false;
    for (const { account: each, excessBytes } of this.accounts.beyondLimit(account, newBytes, portion)) {
      let excess = excessBytes;
      for (const digest of each.digests) {
        if (leftBytes <= 0 || excess <= 0) break;
        if (this.#pins.has(digest)) continue;
        take(digest);
        excess -= chargeOf(digest);
      }
      if (each === account) isBeyond = excess > 0;
    }
    const ownerless = this.#blobs.size - this.accounts.size;
    const rest = isBeyond && ownerless === 0 ? [] : this.#blobs.keys();
    for (const digest of rest) {
      if (leftBytes <= 0) break;
      if (this.#pins.has(digest) || victims.has(digest)) continue;
      if (isBeyond && this.accounts.ownerOf(digest) !== undefined) continue;
      take(digest);
    }
    return { victims: [...victims], enough: leftBytes <= 0 };
  }

  #take(victims: readonly Digest[]): void {
    for (const digest of victims) this.delete(digest);
  }
}
