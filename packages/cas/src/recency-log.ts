import { appendFile, open, readFile, rename } from "node:fs/promises";
import { parseDigest, type Digest } from "./digest.ts";

/** Uses are gathered for this long, so that a blob that every job reads costs one line and not one a job. */
const flushDelayMs = 5_000;
/** Lines in the file beyond twice the number of blobs before it is rewritten. */
const spareLines = 4096;
const linesPerWrite = 4096;

/** All blobs of a store, least recently used first. */
interface BlobOrder {
  readonly size: number;
  digests(): Iterable<Digest>;
}

/**
 * In which order the blobs of a store were used, kept over restarts:
 *
 *     log  := (digest LF)*      oldest use first; of several lines for a digest the last counts
 *
 * A line that is torn or nonsense is skipped and digests that are gone are ignored, so whatever a crash leaves behind
 * costs order and nothing else. A failed write does not matter either; it is retried with the next one.
 */
export class RecencyLog {
  readonly #path: string;
  readonly #order: BlobOrder;
  readonly #unwritten = new Set<Digest>();
  /** Lines in the file; unknown, hence to be rewritten, at first. */
  #lines = Infinity;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  #writing: Promise<void> = Promise.resolve();

  constructor(path: string, order: BlobOrder) {
    this.#path = path;
    this.#order = order;
  }

  /** What the log at `path` says, oldest use first. A missing one says nothing. */
  static async load(path: string): Promise<Set<Digest>> {
    const order = new Set<Digest>();
    for (const line of (await readFile(path, "latin1").catch(() => "")).split("\n")) {
      const digest = parseDigest(line);
      if (digest === undefined) continue;
      order.delete(digest);
      order.add(digest);
    }
    return order;
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
    const lines = [...this.#unwritten];
    this.#unwritten.clear();
    try {
      if (this.#lines + lines.length > 2 * this.#order.size + spareLines) await this.#rewrite();
      else await this.#append(lines);
    } catch {
      this.#lines = Infinity;
    }
  }

  async #append(lines: readonly Digest[]): Promise<void> {
    await appendFile(this.#path, lines.map((digest) => `${digest}\n`).join(""));
    this.#lines += lines.length;
  }

  /** To a new file that replaces the old one, so that a crash leaves one of the two. */
  async #rewrite(): Promise<void> {
    const all = [...this.#order.digests()];
    const path = `${this.#path}.new`;
    await using file = await open(path, "w");
    for (let start = 0; start < all.length; start += linesPerWrite) {
      const lines = all.slice(start, start + linesPerWrite).map((digest) => `${digest}\n`);
      await file.writeFile(lines.join(""));
    }
    await rename(path, this.#path);
    this.#lines = all.length;
  }
}
