import { randomBytes } from "node:crypto";
import { chmod, chown, link, mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";

/** Makes the folder and those above it; only what is made anew gets the mode. */
export async function makePrivateFolder(folder: string): Promise<void> {
  await makeFolder(folder, 0o700);
}

/** The same for a folder that everybody may list; what is secret in it has a mode of its own, whatever the umask is. */
export async function makeOpenFolder(folder: string): Promise<void> {
  if (await makeFolder(folder, 0o755)) await chmod(folder, 0o755);
}

/** One by one: Node's own way never ends in a folder that takes no entries (/proc). False where it was there. */
async function makeFolder(folder: string, mode: number): Promise<boolean> {
  try {
    await mkdir(folder, { mode });
    return true;
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "EEXIST" && (await stat(folder)).isDirectory()) return false;
    if (code !== "ENOENT" || dirname(folder) === folder || (await isThere(dirname(folder)))) throw error;
    await makeFolder(dirname(folder), mode);
    await mkdir(folder, { mode });
    return true;
  }
}

async function isThere(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}

/**
 * Writes a file that is there whole or not at all, also after the machine stopped in the middle. The folder's owner gets it, so
 * that a service can read what root has put into its folder. `exclusive`: false is returned, and nothing is written, where
 * the file exists.
 */
export async function writeWhole(
  path: string,
  text: string,
  { mode, exclusive = false }: { readonly mode: number; readonly exclusive?: boolean },
): Promise<boolean> {
  const folder = dirname(path);
  const temporaryPath = `${path}.${randomBytes(6).toString("hex")}.new`;
  const file = await open(temporaryPath, "wx", mode);
  try {
    try {
      await file.chmod(mode);
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await giveToFolderOwner(temporaryPath, folder);
    if (exclusive) return await linkNew(temporaryPath, path);
    await rename(temporaryPath, path);
    return true;
  } finally {
    await rm(temporaryPath, { force: true });
  }
}

async function linkNew(temporaryPath: string, path: string): Promise<boolean> {
  try {
    await link(temporaryPath, path);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}

/** Only root can, and only for root does it make a difference. */
export async function giveToFolderOwner(path: string, folder: string): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = await stat(folder);
  await chown(path, uid, gid);
}
