import { readlink, rename, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { HomccError } from "@homcc/observability/error";
import { errnoOf } from "./errno.ts";
import { processIdentity } from "./process-identity.ts";

/** Held while a process uses a store folder. */
export interface StoreLock {
  release(): Promise<void>;
}

/**
 * Takes `FOLDER/lock`, or rejects with ERR_HOMCC_CONFIGURATION while another process has it.
 *
 * The lock is a symbolic link whose target names its holder, its `processIdentity`: made in one step with its content, and
 * without needing a block of a full disk. A lock left by `kill -9` or a power cut is taken over, whatever process has the
 * number of its holder now.
 */
export async function lockStore(folder: string): Promise<StoreLock> {
  const path = join(folder, "lock");
  const self = await processIdentity(process.pid);
  if (self === undefined) throw new Error("/proc does not show this process");
  while (!(await created(path, self))) {
    const holder = await unlessGone(readlink(path));
    if (holder === undefined) continue;
    const pid = Number.parseInt(holder, 10);
    if ((await processIdentity(pid)) === holder) throw inUse(folder, pid);
    await removeStale(path, holder);
  }
  return { release: () => rm(path, { force: true }) };
}

async function created(path: string, target: string): Promise<boolean> {
  try {
    await symlink(target, path);
    return true;
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return false;
    throw error;
  }
}

/** Moves the lock aside before looking again: another process may have taken the stale one over just now. */
async function removeStale(path: string, holder: string): Promise<void> {
  const aside = `${path}.${process.pid}`;
  await unlessGone(rename(path, aside));
  const moved = await unlessGone(readlink(aside));
  if (moved !== undefined && moved !== holder) await created(path, moved);
  await rm(aside, { force: true });
}

/** `undefined` when the file was not there. */
async function unlessGone<Result>(result: Promise<Result>): Promise<Result | undefined> {
  try {
    return await result;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

function inUse(folder: string, pid: number): HomccError {
  return new HomccError("ERR_HOMCC_CONFIGURATION", `the blob store ${folder} is in use by process ${pid}`, {
    hint: "give each process a folder of its own",
  });
}
