import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";

/** A file that long untouched is left over, if its process is gone too. Monitors judge the same, by either. */
const leftOverAfterMs = 60_000;

/** With each file that is written: 0.3 ms each, and a build may have left 200. */
const removedAtOnce = 8;

/** Never through a link, never waiting for the reader of a pipe; not truncated, so that no reader finds it empty. */
const writeFlags = constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * The folder in which distcc's monitors look for state files. It is written synchronously: 67 µs of CPU for a file and its
 * removal, where the thread pool's wake-ups take 1000 µs (2 busy cores).
 */
export class StateFolder {
  readonly #distccFolder: string;
  readonly #folder: string;
  readonly #home: string | undefined;
  #isReady = false;
  /** Names of files that may be left over. */
  #suspects: string[] = [];

  /** `home`: where it must not be made for others, or where there is none. */
  constructor(distccFolder: string, home: string | undefined) {
    this.#distccFolder = distccFolder;
    this.#folder = join(distccFolder, "state");
    this.#home = home;
  }

  /** Makes the folder at first. */
  write(name: string, bytes: Uint8Array): void {
    if (!this.#isReady) this.#prepare();
    this.#isReady = true;
    for (const name of this.#suspects.splice(-removedAtOnce)) this.#removeLeftOver(name);
    const file = openSync(join(this.#folder, name), writeFlags, 0o644);
    try {
      writeSync(file, bytes);
    } finally {
      closeSync(file);
    }
  }

  remove(name: string): void {
    rmSync(join(this.#folder, name), { force: true });
  }

  #prepare(): void {
    // As root in a user's environment (sudo) we would leave a folder that the user cannot write.
    if (this.#home !== undefined && statSync(this.#home).uid !== process.getuid?.())
      throw new Error(`${this.#home} belongs to another user`);
    for (const path of [this.#distccFolder, this.#folder]) {
      makeFolder(path);
    }
    this.#suspects = readdirSync(this.#folder).filter((name) => pidOf(name) !== 0);
  }

  /** Of an agent that was killed, or of a time when the folder was slow. */
  #removeLeftOver(name: string): void {
    if (isAlive(pidOf(name))) return;
    const path = join(this.#folder, name);
    const status = statSync(path, { throwIfNoEntry: false });
    if (status !== undefined && Date.now() - status.mtimeMs > leftOverAfterMs) rmSync(path, { force: true });
  }
}

/** 0 for a file that is none of a job. */
function pidOf(name: string): number {
  return Number(/^binstate_(\d+)(_\d+)?$/.exec(name)?.[1] ?? 0);
}

/** Not by `recursive`: a home that does not exist is not made. */
function makeFolder(path: string): void {
  if (existsSync(path)) return;
  try {
    mkdirSync(path);
  } catch (error) {
    // Somebody else may have been first.
    if (!existsSync(path)) throw error;
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
