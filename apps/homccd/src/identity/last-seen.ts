import { mkdir, readdir, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Below the store, which homccd may write to as the account that it has become: one empty file a name. */
const seenFolder = "seen";

/** When a client was here last. Jobs of some executors can write there: it is a hint for administrators and nothing else. */
export class LastSeen {
  readonly #folder: string;

  constructor(store: string) {
    this.#folder = join(store, seenFolder);
  }

  /** `name` is one that is allowed for clients. */
  async note(name: string): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    const path = join(this.#folder, name);
    const now = new Date();
    await utimes(path, now, now).catch(async () => await writeFile(path, ""));
  }

  /** Milliseconds since the epoch, by name. */
  async read(): Promise<ReadonlyMap<string, number>> {
    const seen = new Map<string, number>();
    for (const name of await readdir(this.#folder).catch((): string[] => [])) {
      const stats = await stat(join(this.#folder, name)).catch(() => undefined);
      if (stats?.isFile() === true) seen.set(name, stats.mtimeMs);
    }
    return seen;
  }

  async forget(name: string): Promise<void> {
    await rm(join(this.#folder, name), { force: true });
  }
}
