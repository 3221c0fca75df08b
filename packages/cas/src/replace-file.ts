import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/*
 * A file that is written under another name and renamed: a reader never sees half of it, and what was there stays when the disk is
 * full. Nothing is synced: whoever reads it has to notice what a power cut leaves.
 *
 *     PATH.PID.part     until it is complete; of a process that was killed, rubbish
 */

const partName = /\.(\d+)\.part$/;

export async function replaceFile(path: string, content: string | Uint8Array, mode: number): Promise<void> {
  const part = `${path}.${process.pid}.part`;
  try {
    await writeFile(part, content, { mode });
    await rename(part, path);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}

/** For what is small, or written when the process ends. */
export function replaceFileNow(path: string, content: string | Uint8Array, mode: number): void {
  const part = `${path}.${process.pid}.part`;
  try {
    writeFileSync(part, content, { mode });
    renameSync(part, path);
  } catch (error) {
    rmSync(part, { force: true });
    throw error;
  }
}

/** Removes what processes that were killed have left in `folder` itself. Never rejects. */
export async function removeParts(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    const pid = Number(partName.exec(name)?.[1] ?? Number.NaN);
    if (Number.isNaN(pid) || isAlive(pid)) continue;
    await rm(join(folder, name), { force: true }).catch(() => {});
  }
}

/** Also for another process that has the number by now: then it stays until the next time. */
function isAlive(pid: number): boolean {
  try {
    readFileSync(`/proc/${pid}/stat`);
    return true;
  } catch {
    return false;
  }
}
