import type { BigIntStats } from "node:fs";
import type { FileStats } from "./source-files.ts";

/** Learns of changes in folders, so that what lies there need not be looked at. */
export interface FolderChanges {
  /**
   * From now on `onChange` is called after changes in the folder. `undefined` where that cannot be relied on; `stats` is
   * the folder's lstat, taken just now.
   */
  watch(path: string, stats: FileStats, onChange: () => void): FolderWatch | undefined;
  /**
   * Resolves when everything that was changed before the call has been told: to `false` when changes may have been
   * lost, and then whatever is known counts for nothing. Never rejects. One call at a time.
   */
  catchUp(): Promise<boolean>;
}

export interface FolderWatch {
  /** Whether every change of a file in the folder is told; `stats` is the file's lstat. */
  covers(stats: BigIntStats): boolean;
  close(): void;
}
