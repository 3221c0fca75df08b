import type { BlobStore, Pin } from "./blob-store.ts";
import { sizeBytesOf, type Digest } from "./digest.ts";
import { collect, type Content } from "./verified-content.ts";

/** Larger blobs are not held in memory and pass through. Nearly every source file is smaller. */
const sharedMaxBytes = 256 * 1024;

/**
 * Writes a blob once when several clients, or several jobs of one, bring it at the same time: a cold server is sent
 * the same headers by everyone. Assumes nothing of the inner store.
 *
 * What is shared is the write, not the upload: each caller's content is read to its end and checked first. So nobody
 * waits for another one's slow line, two uploads over one connection cannot block each other, and whoever brings
 * wrong bytes does not learn that somebody else has the right ones. The blob counts for whoever came first.
 */
export class DeduplicatingBlobStore implements BlobStore {
  readonly #inner: BlobStore;
  readonly #writing = new Map<Digest, Promise<void>>();

  constructor(inner: BlobStore) {
    this.#inner = inner;
  }

  findMissing(digests: Iterable<Digest>): Promise<Digest[]> {
    return this.#inner.findMissing(digests);
  }

  async put(digest: Digest, content: Content, client?: string): Promise<void> {
    if (sizeBytesOf(digest) > sharedMaxBytes) return this.#inner.put(digest, content, client);
    const bytes = await collect(digest, content);
    return this.#writing.get(digest) ?? this.#share(digest, this.#inner.putHashed(digest, bytes, client));
  }

  putHashed(digest: Digest, bytes: Uint8Array, client?: string): Promise<void> {
    return this.#writing.get(digest) ?? this.#share(digest, this.#inner.putHashed(digest, bytes, client));
  }

  read(digest: Digest): Promise<Uint8Array | undefined> {
    return this.#inner.read(digest);
  }

  copyTo(digest: Digest, path: string): Promise<boolean> {
    return this.#inner.copyTo(digest, path);
  }

  fileOf(digest: Digest): Promise<string | undefined> {
    return this.#inner.fileOf(digest);
  }

  pin(digests: Iterable<Digest>): Pin {
    return this.#inner.pin(digests);
  }

  #share(digest: Digest, put: Promise<void>): Promise<void> {
    const writing = put.finally(() => this.#writing.delete(digest));
    this.#writing.set(digest, writing);
    return writing;
  }
}
