import type { BigIntStats } from "node:fs";
import type { InputEntry } from "@homcc/cas/action";
import { LinkWalk, type Resolved } from "@homcc/compiler/link-walk";
import { posix } from "node:path";

/** Names that one folder does not have and that were looked for in it. */
export interface AbsentNames {
  /** Real path of an existing folder. */
  readonly folder: string;
  readonly names: readonly string[];
  /** Of the names, where many compilations have the strings in common. */
  readonly paths?: readonly string[];
}

/** What is asked about paths that no include names. */
export interface PathLooks {
  spell(path: string, folder?: string): string;
  /** What it leads to counts. */
  look(path: string): { readonly kind: Resolved["kind"] };
  /** The same for a folder. */
  lookAtFolder(path: string): { readonly kind: Resolved["kind"] };
  /** Where it leads, without any consequence. */
  resolve(path: string): { readonly kind: Resolved["kind"] };
}

/**
 * Everything one compilation looks at, by real path: files, folders that must exist, links on the way, and names that
 * do not exist. Looks at each path component once, so it lives as long as one discovery.
 */
export class PathWalk implements PathLooks {
  readonly #cwd: string;
  readonly #walk = new LinkWalk();
  readonly #files = new Map<string, BigIntStats>();
  readonly #directories = new Set<string>();
  readonly #absent = new Map<string, Set<string>>();

  constructor(cwd: string) {
    this.#cwd = cwd;
  }

  /** With the lstat they had. */
  get files(): ReadonlyMap<string, BigIntStats> {
    return this.#files;
  }

  get links(): ReadonlyMap<string, string> {
    return this.#walk.links;
  }

  /** Folders that must exist though nothing below them is an input. */
  directories(): string[] {
    return [...this.#directories, ...this.#walk.crossed];
  }

  absent(): AbsentNames[] {
    return [...this.#absent].map(([folder, names]) => ({ folder, names: [...names] }));
  }

  /** A path as a compiler would open it, absolute; `..` and links are kept. */
  spell(path: string, folder: string = this.#cwd): string {
    return spellIn(folder, path);
  }

  /**
   * Looks at what the spelled path leads to; a regular file becomes an input, a missing one absent. A folder of that name
   * is passed over by compilers, and has to be there in place of what the name may have been before.
   */
  look(path: string): Resolved {
    const resolved = this.#walk.resolve(path);
    if (resolved.kind === "file") this.#files.set(resolved.path, resolved.stats);
    else if (resolved.kind === "directory") this.#directories.add(resolved.path);
    else if (resolved.kind === "absent") this.#addAbsent(resolved.folder, resolved.name);
    return resolved;
  }

  /** The same for a folder that is named: whether it exists counts, not what is in it. */
  lookAtFolder(path: string): Resolved {
    const resolved = this.#walk.resolve(path);
    if (resolved.kind === "directory") this.#directories.add(resolved.path);
    else if (resolved.kind === "file") this.#files.set(resolved.path, resolved.stats);
    else if (resolved.kind === "absent") this.#addAbsent(resolved.folder, resolved.name);
    return resolved;
  }

  /** Where a path leads, without any consequence for the job. */
  resolve(path: string): Resolved {
    return this.#walk.resolve(path);
  }

  #addAbsent(folder: string, name: string): void {
    const names = this.#absent.get(folder);
    if (names === undefined) this.#absent.set(folder, new Set([name]));
    else names.add(name);
  }
}

/** Entries of links and folders; files come from their records. */
export function structureEntries(
  links: ReadonlyMap<string, string>,
  directories: readonly string[],
): InputEntry[] {
  const entries: InputEntry[] = directories.map((path) => ({ kind: "directory", path }));
  for (const [path, target] of links) entries.push({ kind: "symlink", path, target });
  return entries;
}

/** A path as written in a folder, absolute if the folder is. */
export function spellIn(folder: string, path: string): string {
  if (path.startsWith("/")) return path;
  return folder.endsWith("/") ? `${folder}${path}` : `${folder}/${path}`;
}

export function pathOf(folder: string, name: string): string {
  return posix.join(folder, name);
}
