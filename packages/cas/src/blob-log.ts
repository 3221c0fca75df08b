import { appendFile, open, rename } from "node:fs/promises";
import type { Digest } from "./digest.ts";

/** News are gathered for this long, so that a blob that every job reads costs one line and not one a job. */
const flushDelayMs = 5_000;
/** Lines in the file beyond twice the number of blobs before it is rewritten. */
const spareLines = 4096;
const linesPerWrite = 4096;

/** What the log is to say in the end, in the order of its lines. */
export interface LoggedBlobs {
  readonly size: number;
  digests(): Iterable<Digest>;
}

/**
 * Lines about the blobs of a store, of which the last about each counts. A line that is torn or nonsense is skipped by whoever
 * reads it, so whatever a crash leaves behind costs the latest news and nothing else. A failed write does not matter either;
 * it is retried with the next one.
 */
export class BlobLog {
  readonly #path: string;
  readonly #blobs: LoggedBlobs;
  readonly #lineOf: (digest: Digest) => string;
  readonly #unwritten = new Set<Digest>();
  /** Lines in the file; unknown, hence to be rewritten, at first. */
  #lines = Infinity;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  #writing: Promise<void> = Promise.resolve();

  /** `lineOf`: what there is to say of a blob, without the end of the line. */
  constructor(path: string, blobs: LoggedBlobs, lineOf: (digest: Digest) => string) {
    this.#path = path;
    this.#blobs = blobs;
    this.#lineOf = lineOf;
  }

  note(digest: Digest): void {
    if (this.#closed) return;
    this.#unwritten.delete(digest);
    this.#unwritten.add(digest);
    this.#timer ??= setTimeout(() => void this.flush(), flushDelayMs).unref();
  }

  /** Writes what has been noted. Never rejects. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing = this.#writing.then(() => this.#write());
    return this.#writing;
  }

  close(): Promise<void> {
    this.#closed = true;
    return this.flush();
  }

  async #write(): Promise<void> {
    const digests = [...this.#unwritten];
    this.#unwritten.clear();
    try {
      if (this.#lines + digests.length > 2 * this.#blobs.size + spareLines) await this.#rewrite();
      else await this.#append(digests);
    } catch {
      this.#lines = Infinity;
    }
  }

  async #append(digests: readonly Digest[]): Promise<void> {
    await appendFile(this.#path, this.#linesOf(digests));
    this.#lines += digests.length;
  }

  /** To a new file that replaces the old one, so that a crash leaves one of the two. */
  async #rewrite(): Promise<void> {
    const all = [...this.#blobs.digests()];
    const path = `${this.#path}.new`;
    await using file = await open(path, "w");
    for (let start = 0; start < all.length; start += linesPerWrite) {
      await file.writeFile(this.#linesOf(all.slice(start, start + linesPerWrite)));
    }
    await rename(path, this.#path);
    this.#lines = all.length;
  }

  #linesOf(digests: readonly Digest[]): string {
    return digests.map((digest) => `${this.#lineOf(digest)}\n`).join("");
  }
}
