import { realpath } from "node:fs/promises";
import { isAbsolute } from "node:path";

/** Below these a path means another file for every process, such as `/proc/PID/root/usr/bin/gcc` in a job's root. */
const kernelFolders = ["/proc", "/sys", "/dev"];

/** Folders are asked about in the same words by every job of a build. */
const maxRemembered = 4096;

/**
 * Keeps homccd itself from starting programs out of its own store: jobs write there, and what a job wrote, a client
 * wrote. Jobs run such programs, if at all, behind the walls of their executor; homccd has none around itself.
 */
export class StoreFence {
  readonly #store: string;
  readonly #known = new Map<string, Promise<boolean>>();

  /** `store` is absolute; it need not exist yet. */
  constructor(store: string) {
    this.#store = store;
  }

  /** True for an absolute path in the store, however it leads there, and for one that cannot be judged. */
  encloses(path: string): Promise<boolean> {
    const known = this.#known.get(path);
    if (known !== undefined) return known;
    if (this.#known.size >= maxRemembered) this.#known.clear();
    const answer = this.#judge(path);
    this.#known.set(path, answer);
    return answer;
  }

  /**
   * Every beginning of the path is looked at: behind the first one that lies in the store, links were made by jobs. So
   * the answer cannot change because of anything that a job does.
   */
  async #judge(path: string): Promise<boolean> {
    if (!isAbsolute(path)) return true;
    const store = await realpath(this.#store).catch(() => this.#store);
    for (const beginning of beginningsOf(path)) {
      const place = await realpath(beginning).catch(() => undefined);
      if (place === undefined) return false; // nothing can be started there
      if ([store, ...kernelFolders].some((folder) => place === folder || place.startsWith(`${folder}/`)))
        return true;
    }
    return false;
  }
}

/** `/a/b` has `/`, `/a` and `/a/b`. */
function* beginningsOf(path: string): Generator<string, void, undefined> {
  for (let end = path.indexOf("/"); end >= 0; end = path.indexOf("/", end + 1))
    yield path.slice(0, end) || "/";
  yield path;
}
