import { lstat, readdir, readlink } from "node:fs/promises";
import { dirname, join } from "node:path";

/** What a layer folder holds, read once: jobs ask it hundreds of times whether a path exists there. */
export interface LayerListing {
  has(path: string): boolean;
  isFolder(path: string): boolean;
  readLink(path: string): string | undefined;
  /** True for a folder that directly holds a program or a shared library, or a link that is called like one. */
  holdsPrograms(folder: string): boolean;
}

/** `folder` must not change. A toolchain has some 5,000 entries: 100 ms, 1 MB. */
export async function listLayer(folder: string): Promise<LayerListing> {
  const paths = new Set<string>();
  const folders = new Set<string>();
  const links = new Map<string, string>();
  const programFolders = new Set<string>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name);
    const path = file.slice(folder.length);
    paths.add(path);
    if (entry.isSymbolicLink()) links.set(path, await readlink(file));
    if (entry.isDirectory()) folders.add(path);
    else if (isSharedLibrary(entry.name) || (entry.isFile() && ((await lstat(file)).mode & 0o111) !== 0))
      programFolders.add(dirname(path));
  }
  return {
    has: (path) => paths.has(path),
    isFolder: (path) => folders.has(path),
    readLink: (path) => links.get(path),
    holdsPrograms: (path) => programFolders.has(path),
  };
}

export function isSharedLibrary(name: string): boolean {
  return /\.so(?:\.|$)/.test(name);
}
