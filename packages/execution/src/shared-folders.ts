import { readdir, stat } from "node:fs/promises";

/**
 * Folders of this server that every job sees read-only: locales, character sets of `-finput-charset`,
 * time zones, terminals (clang colours only those it finds described). Message catalogues are inputs of the client. They are data that the C library looks up by name, no inputs of a compile.
 */
export async function findSharedFolders(): Promise<string[]> {
  const libraries = await readdir("/usr/lib").catch(() => []);
  const candidates = [
    "/usr/lib/locale",
    "/usr/share/zoneinfo",
    "/usr/lib/terminfo",
    "/usr/share/terminfo",
    "/usr/lib64/gconv",
    ...libraries.map((name) => `/usr/lib/${name}/gconv`),
  ];
  const found: string[] = [];
  for (const path of candidates) {
    const status = await stat(path).catch(() => undefined);
    if (status?.isDirectory() === true && found.length < maxShares) found.push(path);
  }
  return found;
}

/** The runner's bound. */
const maxShares = 16;
