import { copyFile, lstat, mkdir, rename, utimes } from "node:fs/promises";
import { join } from "node:path";
import { removeTree } from "@homcc/execution/remove-tree";
import { describeError, HomccError } from "@homcc/observability/error";
import { unavailable } from "./unavailable.ts";

/**
 * systemd-tmpfiles removes from /tmp what was not touched for 10 days, others after less; and a program that is always
 * running may never be opened again.
 */
const touchEveryMs = 6 * 3_600_000;

/**
 * homccd's folder in the place that sandboxes share with this machine: the job runner's program, and below it the
 * private folders of mapped jobs. Made when the first sandbox needs it, removed with homccd.
 */
export class SharedFolder implements AsyncDisposable {
  readonly path: string;
  readonly #runnerProgram: string;
  #made: Promise<void> | undefined;
  #touching: NodeJS.Timeout | undefined;

  /** `tag` tells the homccds of a machine apart; each removes what its predecessor left. */
  constructor(parent: string, tag: string, runnerProgram: string) {
    this.path = join(parent, `homccd-${tag}`);
    this.#runnerProgram = runnerProgram;
  }

  /** The runner's path, which is the same in every sandbox. */
  get runner(): string {
    return join(this.path, "runner");
  }

  /** Complete afterwards, whoever may have cleaned the place meanwhile. */
  async ready(): Promise<void> {
    this.#made ??= this.#make();
    try {
      await this.#made;
      await this.#installRunner();
    } catch (error) {
      this.#made = undefined;
      if (error instanceof HomccError) throw error;
      const hint = "choose another place with sandbox_dir, which homccd's account may write to";
      throw unavailable(`homccd cannot use ${this.path}: ${describeError(error)}`, hint);
    }
  }

  /** What a homccd before this one left, which nobody may come to need again. */
  async removeLeftover(): Promise<void> {
    const status = await lstat(this.path).catch(() => undefined);
    if (status?.isDirectory() === true && status.uid === process.getuid?.()) await removeTree(this.path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#touching);
    if (this.#made !== undefined) await removeTree(this.path);
  }

  /** The place is writable for everybody: what somebody else put there under our name is not used. */
  async #make(): Promise<void> {
    const status = await lstat(this.path).catch(() => undefined);
    if (status !== undefined && (!status.isDirectory() || status.uid !== process.getuid?.())) {
      const hint = "remove it, or choose another place with sandbox_dir";
      throw unavailable(`${this.path} belongs to somebody else`, hint);
    }
    await removeTree(this.path);
    await mkdir(this.path, { mode: 0o700 });
    this.#touching = setInterval(() => void this.#touch(), touchEveryMs).unref();
  }

  async #installRunner(): Promise<void> {
    if ((await lstat(this.runner).catch(() => undefined)) !== undefined) return;
    await mkdir(this.path, { mode: 0o700, recursive: true });
    await copyFile(this.#runnerProgram, `${this.runner}.new`);
    await rename(`${this.runner}.new`, this.runner);
  }

  async #touch(): Promise<void> {
    const now = new Date();
    for (const path of [this.path, this.runner]) await utimes(path, now, now).catch(() => {});
  }
}
