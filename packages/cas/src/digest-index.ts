import { appendFile, rename, writeFile } from "node:fs/promises";
import { describeError } from "@homcc/observability/error";
import type { Logger } from "@homcc/observability/log";
import { type Digest, parseDigest } from "./digest.ts";
import { keptText, notUnderstood } from "./kept-text.ts";

/** 30 MB of memory. A project of 10,000 files that changes daily fills it in weeks. */
const maxEntries = 200_000;
const keyPattern = /^[0-9a-f]{40,64}$/;

/**
 * Which blob belongs to a key of hexadecimal digits: a homcc 1.x client's file to a hash of client and SHA-1, a result to its action. Kept
 * over restarts, the least recently added entries forgotten first:
 *
 *     index := (key " " digest LF)*      of several lines for a key the last counts
 *
 * A torn line is skipped. That the blob is still there is nobody's promise: it may have been evicted.
 */
export class DigestIndex {
  readonly #path: string;
  readonly #logger: Logger;
  readonly #digests = new Map<string, Digest>();
  #lines = 0;
  /** The file ends within a line, which the next one must not become part of. */
  #isTorn = false;
  #writing: Promise<unknown> = Promise.resolve();
  /** That it cannot be written, which each job would find out. */
  #isTold = false;

  private constructor(path: string, logger: Logger) {
    this.#path = path;
    this.#logger = logger;
  }

  /** A file that is missing or damaged costs uploads, nothing else. */
  static async open(path: string, logger: Logger): Promise<DigestIndex> {
    const index = new DigestIndex(path, logger);
    const text = await keptText(path, logger, "latin1");
    index.#isTorn = text !== "" && !text.endsWith("\n");
    // What follows the last line's end is torn, even where it looks whole.
    for (const line of text.split("\n").slice(0, -1)) {
      const [key, text, more] = line.split(" ");
      const digest = parseDigest(text ?? "");
      // With more in it the line is another version's, which may mean that it holds for some only.
      if (key === undefined || !keyPattern.test(key) || digest === undefined || more !== undefined) continue;
      index.#lines += 1;
      index.#keep(key, digest);
    }
    if (text !== "" && index.size === 0) notUnderstood(path, logger);
    return index;
  }

  get size(): number {
    return this.#digests.size;
  }

  get(key: string): Digest | undefined {
    return this.#digests.get(key);
  }

  add(key: string, digest: Digest): void {
    if (this.#digests.get(key) === digest) return;
    this.#keep(key, digest);
    this.#lines += 1;
    const isCrowded = this.#lines > 2 * maxEntries;
    const line = `${this.#isTorn ? "\n" : ""}${key} ${digest}\n`;
    this.#isTorn = false;
    this.#writing = this.#writing
      .then(() => (isCrowded ? this.#rewrite() : appendFile(this.#path, line)))
      .then(
        () => (this.#isTold = false),
        (error: unknown) => this.#tell(error),
      );
  }

  /** Resolves when everything is written. */
  async flush(): Promise<void> {
    await this.#writing;
  }

  #tell(error: unknown): void {
    if (!this.#isTold) this.#logger.warning(`cannot write ${this.#path}: ${describeError(error)}`);
    this.#isTold = true;
  }

  #keep(key: string, digest: Digest): void {
    this.#digests.delete(key);
    this.#digests.set(key, digest);
    const oldest = this.#digests.keys().next();
    if (this.#digests.size > maxEntries && oldest.done !== true) this.#digests.delete(oldest.value);
  }

  async #rewrite(): Promise<void> {
    const lines = [...this.#digests].map(([key, digest]) => `${key} ${digest}\n`);
    await writeFile(`${this.#path}.new`, lines.join(""));
    await rename(`${this.#path}.new`, this.#path);
    this.#lines = lines.length;
  }
}
