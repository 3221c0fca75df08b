import { chmod, readdir, rmdir, unlink } from "node:fs/promises";

/**
 * Removes a file or folder that jobs wrote to. Unlike `rm -r` it also removes what a job (or overlayfs, whose `work/work`
 * has mode 0) took the permissions of. Links are not followed; what is gone already is no error.
 */
export async function removeTree(path: string): Promise<void> {
  const code = await codeOf(rmdir(path)); // most folders of a job are empty
  if (code === undefined || code === "ENOENT") return;
  if (code === "ENOTDIR") return await removeFile(path);
  await chmod(path, 0o700).catch(ignoreMissing);
  const entries = await readdir(path, { withFileTypes: true }).catch(ignoreMissing);
  for (const entry of entries ?? []) {
    if (entry.isDirectory()) await removeTree(`${path}/${entry.name}`);
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
