import { lstatSync, readlinkSync, statSync } from "node:fs";
import type { Action, InputEntry } from "@homcc/cas/action";
import type { FileDigests } from "@homcc/inputs/file-digests";

/**
 * The first path at which something else lies than what the job was compiled from; `undefined` when there is none. Cheap while
 * nothing changed: digests are known by stat.
 */
export async function changedInput(
  { inputs, absent }: Pick<Action, "inputs" | "absent">,
  digests: Pick<FileDigests, "record">,
): Promise<string | undefined> {
  for (const entry of inputs) if (!(await isUnchanged(entry, digests))) return entry.path;
  return absent.find((path) => exists(path));
}

async function isUnchanged(entry: InputEntry, digests: Pick<FileDigests, "record">): Promise<boolean> {
  switch (entry.kind) {
    case "file": {
      const record = await digests.record(entry.path);
      return record?.entry.digest === entry.digest && record.entry.mtimeNs === entry.mtimeNs;
    }
    case "symlink":
      return linkAt(entry.path) === entry.target;
    case "directory":
      return statSync(entry.path, { throwIfNoEntry: false })?.isDirectory() === true;
  }
}

function linkAt(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function exists(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    // Below a plain file, or below a folder that is closed to us: nothing that a compiler could read.
    return false;
  }
}
