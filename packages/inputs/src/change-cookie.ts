import { closeSync, futimesSync, mkdtempSync, openSync, rmSync, watch, type FSWatcher } from "node:fs";
import { join } from "node:path";

/**
 * What was touched is told when the event loop next asks the kernel, which it does in each turn; a turn may be half over
 * when it is touched.
 */
const maxTurns = 3;

/**
 * A file without a name. All watches of a process share one queue, which is in order: when the touch of this file comes
 * out of it, all that was changed before has come out. A round costs 6 µs of processor and no timer.
 */
export class ChangeCookie {
  readonly #file: number;
  readonly #watcher: FSWatcher;
  #onTold: () => void = () => {};

  /** In that folder, which must be local. Throws when the folder cannot be written or no watch is left. */
  constructor(folder: string) {
    this.#file = openNameless(folder);
    try {
      // It lost its name first: that, too, would be told.
      this.#watcher = watch(`/proc/self/fd/${this.#file}`, { persistent: false }, () => this.#onTold());
    } catch (error) {
      closeSync(this.#file);
      throw error;
    }
    // Without it, an error would end the process; what is not told any more is missed by `touch`.
    this.#watcher.on("error", () => {});
  }

  /**
   * Resolves to whether the touch was told. A cookie whose touch was not is of no use any more: the touch may yet be told in place of the next
   * one. One call at a time.
   */
  touch(): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    let turns = 0;
    const turn = (): void => {
      turns += 1;
      if (turns < maxTurns) immediate = setImmediate(turn);
      else resolve(false);
    };
    let immediate = setImmediate(turn);
    const end = (isTold: boolean): void => {
      clearImmediate(immediate);
      resolve(isTold);
    };
    this.#onTold = () => end(true);
    try {
      futimesSync(this.#file, 0, 0);
    } catch {
      end(false);
    }
    return promise;
  }

  close(): void {
    this.#watcher.close();
    closeSync(this.#file);
  }
}

function openNameless(folder: string): number {
  const own = mkdtempSync(join(folder, "cookie-"));
  try {
    return openSync(join(own, "cookie"), "wx", 0o600);
  } finally {
    rmSync(own, { recursive: true });
  }
}
