import { existsSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";

/** Makes a folder and what is missing above it. Not by `recursive`: where a folder takes no entries, as in /proc, Node 24 tries for ever. */
export function makeFolders(path: string, mode: number): void {
  if (existsSync(path)) return;
  if (dirname(path) !== path) makeFolders(dirname(path), mode);
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    // Somebody else may have been first.
    if (!existsSync(path)) throw error;
  }
}
