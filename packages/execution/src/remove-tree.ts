import { chmod, readdir, rename, rmdir, unlink } from "node:fs/promises";

/** Linux takes 4095 bytes, and a name has 255 at most. */
const longPathBytes = 3500;

let moved = 0;

/**
 * Removes a file or folder that jobs wrote to. Unlike `rm -r` it also removes what a job (or overlayfs, whose `work/work`
 * has mode 0) took the permissions of, and folders that a job made deeper than a path can say. Links are not followed; what is
 * gone already is no error.
 */
export async function removeTree(path: string): Promise<void> {
  await removeBelow(path, path);
}

async function removeBelow(path: string, top: string): Promise<void> {
  const code = await codeOf(rmdir(path)); // most folders of a job are empty
  if (code === undefined || code === "ENOENT") return;
  if (code === "ENOTDIR") return await removeFile(path);
  await chmod(path, 0o700).catch(ignoreMissing);
  if (path.length - top.length > 255 && Buffer.byteLength(path) > longPathBytes) {
    const higher = `${top}/homcc-moved-${(moved += 1)}`;
    await rename(path, higher);
    return await removeBelow(higher, top);
  }
  const entries = await readdir(path, { withFileTypes: true }).catch(ignoreMissing);
  for (const entry of entries ?? []) {
    if (entry.isDirectory()) await removeBelow(`${path}/${entry.name}`, top);
    else await removeFile(`${path}/${entry.name}`);
  }
  await rmdir(path).catch(ignoreMissing);
}

async function removeFile(path: string): Promise<void> {
  await unlink(path).catch(ignoreMissing);
}

function ignoreMissing(error: unknown): undefined {
  if (errorCode(error) !== "ENOENT") throw error;
}

async function codeOf(attempt: Promise<void>): Promise<unknown> {
  return await attempt.then(() => undefined, errorCode);
}

function errorCode(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : error;
}
