import { type FSWatcher, readFileSync, statSync, watch } from "node:fs";
import { join } from "node:path";
import { revocationFile, Revocations } from "@homcc/identity/revocations";
import { describeError } from "@homcc/observability/error";
import type { Logger } from "@homcc/observability/log";

/**
 * Who is revoked, as the file says at present. It is looked at for each client that proves a name, and the kernel tells of
 * every change, so that those who are connected notice.
 */
export class RevocationWatch implements Disposable {
  readonly #folder: string;
  readonly #logger: Logger;
  #watcher: FSWatcher | undefined;
  /** Of the file; "" where there is none. */
  #stamp: string | undefined;
  #revocations = Revocations.unknown();

  constructor(folder: string, logger: Logger) {
    this.#folder = folder;
    this.#logger = logger;
  }

  /**
   * A file that cannot be read leaves things as they were: it is written whole, or a line at a time. Until it has been read once
   * nobody who proves a name gets in.
   */
  get current(): Revocations {
    const path = join(this.#folder, revocationFile);
    try {
      const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
      const stamp = stats === undefined ? "" : `${stats.ino} ${stats.size} ${stats.mtimeNs} ${stats.ctimeNs}`;
      if (stamp === this.#stamp) return this.#revocations;
      this.#revocations = Revocations.parse(stats === undefined ? "" : readFileSync(path, "utf8"));
      this.#stamp = stamp;
    } catch (error) {
      this.#logger.error(`who is revoked cannot be read from ${path}: ${describeError(error)}`);
    }
    return this.#revocations;
  }

  /** Calls `onChange` whenever the file changed. The folder is watched, since the file may be new, or a new one. */
  start(onChange: () => void): void {
    // What is wrong with it is in the log before the first client comes.
    void this.current;
    const complain = (error: unknown): void => {
      const text = `revocations are seen when their clients connect, not at once: ${describeError(error)}`;
      this.#logger.warning(text);
    };
    try {
      this.#watcher = watch(this.#folder, { persistent: false }, (_event, name) => {
        if (name === null || name === revocationFile) onChange();
      });
      this.#watcher.on("error", complain);
    } catch (error) {
      complain(error);
    }
  }

  [Symbol.dispose](): void {
    this.#watcher?.close();
  }
}
