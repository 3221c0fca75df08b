import { appendFile, readFile, rename, writeFile } from "node:fs/promises";
import { type Digest, parseDigest } from "@homcc/cas/digest";
import { describeError } from "@homcc/observability/error";
import type { Logger } from "@homcc/observability/log";

/** 30 MB of memory. A project of 10,000 files that changes daily fills it in weeks. */
const maxEntries = 200_000;

/**
 * Which blob has the SHA-1 that a homcc 1.x client names its file by. Kept over restarts, else every client would send
 * everything again:
 *
 *     index := (sha1 " " digest LF)*
 *
 * A torn line is skipped. Each entry was true when it was written, and stays so: what it names is immutable.
 */
export class Sha1Index {
  readonly #path: string;
  readonly #logger: Logger;
  readonly #digests = new Map<string, Digest>();
  #lines = 0;
  #writing: Promise<void> = Promise.resolve();

  private constructor(path: string, logger: Logger) {
    this.#path = path;
    this.#logger = logger;
  }

  /** A file that is missing or damaged costs uploads, nothing else. */
  static async open(path: string, logger: Logger): Promise<Sha1Index> {
    const index = new Sha1Index(path, logger);
    for (const line of (await readFile(path, "latin1").catch(() => "")).split("\n")) {
      const [sha1, text] = line.split(" ");
      const digest = parseDigest(text ?? "");
      if (sha1 === undefined || !/^[0-9a-f]{40}$/.test(sha1) || digest === undefined) continue;
      index.#lines += 1;
      index.#keep(sha1, digest);
    }
    return index;
  }

  get(sha1: string): Digest | undefined {
    return this.#digests.get(sha1);
  }

  add(sha1: string, digest: Digest): void {
    if (this.#digests.get(sha1) === digest) return;
    this.#keep(sha1, digest);
    this.#lines += 1;
    const isCrowded = this.#lines > 2 * maxEntries;
    this.#writing = this.#writing
      .then(() => (isCrowded ? this.#rewrite() : appendFile(this.#path, `${sha1} ${digest}\n`)))
      .catch((error: unknown) => this.#logger.warning(`cannot write ${this.#path}: ${describeError(error)}`));
  }

  /** Resolves when everything is written. */
  async flush(): Promise<void> {
    await this.#writing;
  }

  #keep(sha1: string, digest: Digest): void {
    this.#digests.delete(sha1);
    this.#digests.set(sha1, digest);
    const oldest = this.#digests.keys().next();
    if (this.#digests.size > maxEntries && oldest.done !== true) this.#digests.delete(oldest.value);
  }

  async #rewrite(): Promise<void> {
    const lines = [...this.#digests].map(([sha1, digest]) => `${sha1} ${digest}\n`);
    await writeFile(`${this.#path}.new`, lines.join(""));
    await rename(`${this.#path}.new`, this.#path);
    this.#lines = lines.length;
  }
}
