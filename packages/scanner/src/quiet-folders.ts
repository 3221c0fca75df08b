import type { BigIntStats } from "node:fs";
import type { FileNode } from "./file-tree.ts";
import type { FolderChanges, FolderWatch } from "./folder-changes.ts";
import type { SourceRecord } from "./source-files.ts";

/** Of a folder's `changes`. */
export const untried = 0;
const unwatchable = -1;
/** Of a file's `quietIn`: equal to no folder's `changes`. */
export const neverQuiet = -2;

/** To wait for what was told costs 6 µs of processor, as much as three looks. */
const minFiles = 16;

/** Which files of a tree need no look: those in whose folder nothing has changed since, as its watch would have told. */
export class QuietFolders<R extends SourceRecord> {
  readonly #changes: FolderChanges;
  readonly #watches = new Map<FileNode<R>, FolderWatch>();
  #serial = 0;
  #files = 0;
  #quietAt = 0;
  #catchingUp: Promise<boolean> | undefined;

  constructor(changes: FolderChanges) {
    this.#changes = changes;
  }

  /** All changes before this arrival have been told. */
  get quietAt(): number {
    return this.#quietAt;
  }

  /** Whether nothing in the folder has changed since the file was looked at, as far as was told. */
  isQuiet(file: FileNode<R>, folder: FileNode<R>): boolean {
    return file.quietIn === folder.changes;
  }

  /** Begins to watch. True if so: only then does a look, a new one, count for later. */
  attend(folder: FileNode<R>): boolean {
    if (folder.changes !== untried || folder.stats === undefined) return false;
    const watch = this.#changes.watch(folder.path, folder.stats, () => {
      if (folder.changes > 0) folder.changes = this.#next();
    });
    folder.changes = watch === undefined ? unwatchable : this.#next();
    if (watch !== undefined) this.#watches.set(folder, watch);
    return watch !== undefined;
  }

  /** Of a file, just now, with that lstat. */
  looked(file: FileNode<R>, folder: FileNode<R>, stats: BigIntStats): void {
    if (folder.changes <= 0 || this.#watches.get(folder)?.covers(stats) !== true) return;
    file.quietIn = folder.changes;
    this.#files += 1;
  }

  /** Of a folder that may be another one under the same number, or somebody else's now. */
  forget(folder: FileNode<R>): void {
    this.#watches.get(folder)?.close();
    this.#watches.delete(folder);
    folder.changes = untried;
  }

  clear(): void {
    for (const folder of this.#watches.keys()) this.forget(folder);
    this.#files = 0;
  }

  /**
   * Resolves when all changes before this arrival have been told, or it turned out that some may not have been. One wait serves all
   * that arrived before it began; `now` is the latest arrival.
   */
  async catchUp(arrival: number, now: () => number): Promise<void> {
    if (this.#files < minFiles) return;
    while (this.#quietAt < arrival) {
      this.#catchingUp ??= this.#catchUp(now());
      if (!(await this.#catchingUp)) return;
    }
  }

  async #catchUp(arrival: number): Promise<boolean> {
    const isCertain = await this.#changes.catchUp();
    this.#catchingUp = undefined;
    if (isCertain) this.#quietAt = arrival;
    else for (const folder of this.#watches.keys()) folder.changes = this.#next();
    return isCertain;
  }

  #next(): number {
    this.#serial += 1;
    return this.#serial;
  }
}
