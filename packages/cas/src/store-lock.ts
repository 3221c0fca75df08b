import { readFile, readlink, rename, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { HomccError } from "@homcc/observability/error";
import { errnoOf } from "./errno.ts";

/** Held while a process uses a store folder. */
export interface StoreLock {
  release(): Promise<void>;
}

/**
 * Takes `FOLDER/lock`, or rejects with ERR_HOMCC_CONFIGURATION while another process has it.
 *
 * The lock is a symbolic link whose target names its holder, `PID:START:BOOT`: made in one step with its content, and
 * without needing a block of a full disk. START (in clock ticks after boot) and BOOT tell the holder from a later
 * process with the same number, so a lock left by `kill -9` or a power cut is taken over.
 */
export async function lockStore(folder: string): Promise<StoreLock> {
  const path = join(folder, "lock");
  const self = await identityOf(process.pid);
  if (self === undefined) throw new Error("/proc does not show this process");
  while (!(await created(path, self))) {
    const holder = await unlessGone(readlink(path));
    if (holder === undefined) continue;
    const pid = Number.parseInt(holder, 10);
    if ((await identityOf(pid)) === holder) throw inUse(folder, pid);
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

/** `undefined` when there is no such process. */
async function identityOf(pid: number): Promise<string | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "latin1");
    const boot = await readFile("/proc/sys/kernel/random/boot_id", "latin1");
    // Field 2 is the program's name in parentheses and may hold blanks; the start time is field 22.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // Ended, and nobody has asked how: in a container without an init that may stay so.
    if (fields[0] === "Z") return undefined;
    const start = fields[19];
    return `${pid}:${start}:${boot.slice(0, 8)}`;
  } catch {
    return undefined;
  }
}

function inUse(folder: string, pid: number): HomccError {
  return new HomccError("ERR_HOMCC_CONFIGURATION", `the blob store ${folder} is in use by process ${pid}`, {
    hint: "give each process a folder of its own",
  });
}
