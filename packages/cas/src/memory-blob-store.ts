import { writeFile } from "node:fs/promises";
import type { BlobStore, Pin } from "./blob-store.ts";
import { emptyDigest, type Digest } from "./digest.ts";
import { LruIndex } from "./lru-index.ts";
import { collect, drain, type Content } from "./verified-content.ts";

/** Blobs on the heap: the plainest store that keeps the contract. Tests use it in place of the one on disk. */
export class MemoryBlobStore implements BlobStore {
  readonly #index: LruIndex<Uint8Array>;

  constructor(options: { readonly maxBytes?: number } = {}) {
    this.#index = new LruIndex(options.maxBytes ?? Infinity);
  }

  findMissing(digests: Iterable<Digest>): Promise<Digest[]> {
    return Promise.resolve(this.#index.findMissing(digests));
  }

  async put(digest: Digest, content: Content): Promise<void> {
    if (digest === emptyDigest || this.#index.touch(digest)) return drain(digest, content);
    const reservation = this.#index.reserve(digest);
    try {
      const bytes = new Uint8Array(await collect(digest, content));
      reservation.grow(bytes.byteLength);
      reservation.release();
      this.#index.set(digest, bytes);
    } finally {
      reservation.release();
    }
  }

  putHashed(digest: Digest, bytes: Uint8Array): Promise<void> {
    return this.put(digest, [bytes]);
  }

  read(digest: Digest): Promise<Uint8Array | undefined> {
    return Promise.resolve(copyOf(this.#bytes(digest)));
  }

  async copyTo(digest: Digest, path: string): Promise<boolean> {
    const bytes = this.#bytes(digest);
    if (bytes === undefined) return false;
    await writeFile(path, bytes, { flag: "wx" });
    return true;
  }

  fileOf(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  pin(digests: Iterable<Digest>): Pin {
    return this.#index.pin(digests);
  }

  #bytes(digest: Digest): Uint8Array | undefined {
    this.#index.touch(digest);
    return digest === emptyDigest ? new Uint8Array() : this.#index.get(digest);
  }
}

/** Not `slice`, which a Buffer does not copy for. */
function copyOf(bytes: Uint8Array | undefined): Uint8Array | undefined {
  return bytes === undefined ? undefined : new Uint8Array(bytes);
}
