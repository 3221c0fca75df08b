import { readdirSync, readlinkSync } from "node:fs";
import { posix } from "node:path";
import { HomccError } from "@homcc/observability/error";
import { LinkWalk, type Existing, type Resolved } from "./link-walk.ts";
import { StampedPaths } from "./stamped-paths.ts";

/** Whether a regular file found in a folder of the toolchain is part of it. */
export type FileFilter = (name: string, executable: boolean) => boolean;

/** Distributions' compilers have below 2000 files; more means that something else lies there. */
const maxFiles = 20_000;

/**
 * Files, folders and links that a toolchain is made of, by real path. What is added brings the links and the folders
 * on its way with it.
 */
export class ToolchainLayout {
  readonly walk: LinkWalk;
  readonly files = new Map<string, Existing>();
  /** Added whole: their names count. */
  readonly trees = new Set<string>();

  readonly #root: string;
  readonly #looks: StampedPaths;
  /** Its links and folders are no part. */
  readonly #lookWalk: LinkWalk;

  /** `root` as of a LinkWalk. */
  constructor(root = "") {
    this.#root = root;
    this.walk = new LinkWalk(root);
    this.#lookWalk = new LinkWalk(root);
    this.#looks = new StampedPaths(root);
  }

  /** A file, or what a link to it leads to; what does not exist is left out, and makes another toolchain when it appears. */
  addFile(path: string): void {
    const resolved = this.walk.resolve(path);
    this.#looks.addResolved(resolved);
    if (resolved.kind === "file") this.#add(resolved);
  }

  /** What is no part, and whose appearance or change makes another toolchain: places that the compiler looks at first. */
  lookAt(path: string): Resolved {
    const resolved = this.#lookWalk.resolve(path);
    this.#looks.addResolved(resolved);
    return resolved;
  }

  /**
   * Everything whose change makes another toolchain, as it was when it was looked at: folders by their own stat, since a new file
   * in one changes it. `undefined` when a link has changed meanwhile.
   */
  stamps(): StampedPaths | undefined {
    for (const walk of [this.walk, this.#lookWalk]) {
      this.#looks.addWalk(walk);
      for (const [link, target] of walk.links) if (this.#readLink(link) !== target) return undefined;
    }
    return this.#looks;
  }

  #readLink(path: string): string | undefined {
    try {
      return readlinkSync(this.#root + path);
    } catch {
      return undefined;
    }
  }

  /** A folder with everything in it, links followed as far as they lead to parts of a toolchain. */
  addTree(path: string, filter: FileFilter): void {
    const folder = this.walk.resolve(path);
    if (folder.kind !== "directory" || this.trees.has(folder.path)) return;
    this.trees.add(folder.path);
    this.#looks.addResolved(folder);
    for (const entry of readdirSync(this.#root + folder.path, { withFileTypes: true, encoding: "utf8" })) {
      this.#addFromTree(posix.join(folder.path, entry.name), entry.isSymbolicLink(), filter);
    }
  }

  /** Every folder that must exist: those on the way to anything, crossed by `..`, or part of a tree. */
  folders(): Set<string> {
    const folders = new Set<string>();
    const addAbove = (path: string): void => {
      for (
        let folder = posix.dirname(path);
        folder !== "/" && !folders.has(folder);
        folder = posix.dirname(folder)
      ) {
        folders.add(folder);
      }
    };
    for (const folder of [...this.trees, ...this.walk.crossed]) {
      folders.add(folder);
      addAbove(folder);
    }
    for (const path of [...this.files.keys(), ...this.walk.links.keys()]) addAbove(path);
    return folders;
  }

  #addFromTree(path: string, isLink: boolean, filter: FileFilter): void {
    if (isLink && isLibrary(path)) {
      this.walk.links.set(path, readlinkSync(this.#root + path));
      return;
    }
    const resolved = this.walk.resolve(path);
    if (resolved.kind === "directory") return this.addTree(resolved.path, filter);
    if (resolved.kind !== "file") return;
    const executable = isExecutable(resolved);
    if (filter(posix.basename(resolved.path), executable)) this.#add(resolved);
  }

  #add(file: Existing): void {
    this.files.set(file.path, file);
    this.#looks.addResolved(file);
    if (this.files.size > maxFiles) {
      throw new HomccError("ERR_HOMCC_TOOLCHAIN", `more than ${maxFiles} files belong to the compiler`);
    }
  }
}

export function isExecutable({ stats }: Existing): boolean {
  return (stats.mode & 0o111n) !== 0n;
}

/** `libgomp.so -> ../../../x86_64-linux-gnu/libgomp.so.1` is for the linker: the link counts, not where it leads. */
function isLibrary(path: string): boolean {
  return /\.(so|a)(\.[0-9.]+)?$/.test(path);
}
