import type { FileKind, FileProbe } from "@homcc/compiler/file-probe";
import { folderOf } from "@homcc/execution/link-resolution";

/** Below these a 1.x client sends nothing: the server's own files are read. */
const systemFolders = ["/usr/include", "/usr/lib"];

export function isSystemFile(path: string): boolean {
  return systemFolders.some((folder) => path.startsWith(`${folder}/`));
}

/**
 * The file system of a 1.x client as far as its message shows it: the files it named and the folders above them. In
 * every other folder it could write, for all we know; it has checked that itself.
 */
export function namedFiles(paths: Iterable<string>): FileProbe {
  const files = new Set(paths);
  const folders = new Set<string>();
  for (const path of files)
    for (let at = folderOf(path); at !== "" && !folders.has(at); at = folderOf(at)) folders.add(at);
  const kindOf = (path: string): FileKind => {
    if (files.has(path)) return "file";
    return folders.has(path) ? "directory" : "absent";
  };
  return {
    kind: (path) => Promise.resolve(kindOf(path)),
    isReadable: (path) => Promise.resolve(kindOf(path) === "file" || isSystemFile(path)),
    isWritableFolder: () => Promise.resolve(true),
    readText: () => Promise.resolve(undefined),
  };
}
