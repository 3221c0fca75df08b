import type { Digest } from "./digest.ts";

/** Keeps blobs from eviction while a job needs them. Releasing twice is harmless. */
export interface Pin {
  release(): void;
}

/**
 * Content-addressable storage. Every method may be called concurrently, also for the same digest.
 * The empty blob is always present.
 */
export interface BlobStore {
  /** Those of `digests` that the store does not hold, without duplicates. What it names present counts as just used. */
  findMissing(digests: Iterable<Digest>): Promise<Digest[]>;

  /**
   * Stores what `content` yields. Rejects with ERR_HOMCC_DIGEST_MISMATCH when the bytes are not those of `digest`
   * (nothing is kept then) and with ERR_HOMCC_STORE_FULL when there is no room even after evicting. `client`: for whom it counts, where
   * stores have limits for each.
   */
  put(
    digest: Digest,
    content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    client?: string,
  ): Promise<void>;

  /**
   * As `put`, for bytes whose digest the caller has computed in this process, a moment ago: they are not hashed again. They
   * must not change until this resolves; afterwards they are the caller's own.
   */
  putHashed(digest: Digest, bytes: Uint8Array, client?: string): Promise<void>;

  /** The bytes, which are the caller's own, or `undefined` when the store does not hold them (or found them damaged, and dropped them). */
  read(digest: Digest): Promise<Uint8Array | undefined>;

  /**
   * Writes the blob to a new file at `path` with an inode of its own (copy or reflink, never a hard link).
   * False when the store does not hold it.
   */
  copyTo(digest: Digest, path: string): Promise<boolean>;

  /**
   * A file with the blob's bytes, to read from while the blob is pinned; never to be written to or given to a job. It was
   * looked into as for `copyTo`. `undefined` when the store does not hold it, or not in a file.
   */
  fileOf(digest: Digest): Promise<string | undefined>;

  /** Until released, none of `digests` is evicted, also those that only arrive later. */
  pin(digests: Iterable<Digest>): Pin;
}
