import { constants } from "node:fs";
import { mkdir, open, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";

/** A file that long untouched is left over, if its process is gone too. Monitors judge the same, by either. */
const leftOverAfterMs = 60_000;

/** Never through a link, never waiting for the reader of a pipe; not truncated, so that no reader finds it empty. */
const writeFlags = constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** The folder in which distcc's monitors look for state files. */
export class StateFolder {
  readonly #distccFolder: string;
  readonly #folder: string;
  readonly #home: string | undefined;
  #ready: Promise<void> | undefined;

  /** `home`: where it must not be made for others, or where there is none. */
  constructor(distccFolder: string, home: string | undefined) {
    this.#distccFolder = distccFolder;
    this.#folder = join(distccFolder, "state");
    this.#home = home;
  }

  /** Makes the folder at first. */
  async write(name: string, bytes: Uint8Array): Promise<void> {
    this.#ready ??= this.#prepare();
    await this.#ready;
    await using file = await open(join(this.#folder, name), writeFlags, 0o644);
    await file.write(bytes);
  }

  async remove(name: string): Promise<void> {
    await rm(join(this.#folder, name), { force: true });
  }

  async #prepare(): Promise<void> {
    // As root in a user's environment (sudo) we would leave a folder that the user cannot write.
    if (this.#home !== undefined && (await stat(this.#home)).uid !== process.getuid?.())
      throw new Error(`${this.#home} belongs to another user`);
    for (const path of [this.#distccFolder, this.#folder]) {
      // What keeps it from being made keeps the file from being written, which says so.
      await mkdir(path).catch(() => {});
    }
    await this.#removeLeftOvers();
  }

  /** Of an agent that was killed. */
  async #removeLeftOvers(): Promise<void> {
    for (const name of await readdir(this.#folder)) {
      const pid = Number(/^binstate_(\d+)(_\d+)?$/.exec(name)?.[1] ?? 0);
      if (pid === 0 || isAlive(pid)) continue;
      const path = join(this.#folder, name);
      const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Infinity }));
      if (Date.now() - mtimeMs > leftOverAfterMs) await rm(path, { force: true });
    }
  }
}

/** Also when it belongs to somebody else. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !(error instanceof Error && "code" in error && error.code === "ESRCH");
  }
}
