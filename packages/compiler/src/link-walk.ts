import { lstatSync, readlinkSync, type BigIntStats } from "node:fs";
import { posix } from "node:path";

export interface Existing {
  readonly kind: "file" | "directory" | "other";
  readonly path: string;
  readonly stats: BigIntStats;
}

/** Where a path leads: real paths, in which no component is a link, `.` or `..`. */
export type Resolved =
  | Existing
  /** `path` is the first component that does not exist; `folder`, an existing folder, is where it was looked for. */
  | { readonly kind: "absent"; readonly path: string; readonly folder: string; readonly name: string }
  /** A component is a file where a folder is needed, cannot be searched, or links go in a circle. */
  | { readonly kind: "blocked"; readonly path: string };

/** As Linux: more links on the way end with ELOOP. */
const maxLinks = 40;

/**
 * Resolves absolute paths as the kernel does, component by component (`dir/../x` through a link is not `x`), and
 * remembers every link and every folder that `..` was applied to: they must exist where the path is to work again.
 * Each component is looked at once in the life of a walk (lstat costs 3-5 µs), so a walk must be short-lived.
 */
export class LinkWalk {
  /** Real path of each link that was followed, and its target as written. */
  readonly links = new Map<string, string>();
  /** Real paths of folders that a path goes through by name and leaves by `..`. */
  readonly crossed = new Set<string>();
  readonly #root: string;
  readonly #folders = new Map<string, Resolved>();
  readonly #components = new Map<string, Resolved>();

  /** `root`: the folder that stands for `/`; links and `..` do not lead out of it. */
  constructor(root = "") {
    this.#root = root;
  }

  resolve(path: string): Resolved {
    return this.#resolve(path, 0);
  }

  /** The same for `name` in the folder `folder`, both as written; an absolute name stands for itself. */
  resolveIn(folder: string, name: string): Resolved {
    return this.#resolve(name.startsWith("/") ? name : `${folder}/${name}`, 0);
  }

  #resolve(path: string, linksFollowed: number): Resolved {
    const slash = path.lastIndexOf("/");
    const name = path.slice(slash + 1);
    const folder = this.#folder(slash <= 0 ? "/" : path.slice(0, slash), linksFollowed);
    if (folder.kind !== "directory") return folder.kind === "absent" ? folder : blocked(path);
    return this.#step(folder, name, linksFollowed);
  }

  #folder(path: string, linksFollowed: number): Resolved {
    const known = this.#folders.get(path);
    if (known !== undefined) return known;
    const resolved = path === "/" ? this.#component("/", "/", "/", 0) : this.#resolve(path, linksFollowed);
    this.#folders.set(path, resolved);
    return resolved;
  }

  #step(folder: Existing, name: string, linksFollowed: number): Resolved {
    if (name === "" || name === ".") return folder;
    if (name === "..") {
      if (folder.path !== "/") this.crossed.add(folder.path);
      return this.#folder(posix.dirname(folder.path), linksFollowed);
    }
    const path = folder.path === "/" ? `/${name}` : `${folder.path}/${name}`;
    const target = this.links.get(path);
    if (target !== undefined) return this.#follow(folder.path, target, linksFollowed);
    return this.#component(path, folder.path, name, linksFollowed);
  }

  #component(path: string, folder: string, name: string, linksFollowed: number): Resolved {
    const known = this.#components.get(path);
    if (known !== undefined) return known;
    const resolved = this.#look(path, folder, name);
    if (resolved !== undefined) {
      this.#components.set(path, resolved);
      return resolved;
    }
    const target = readTarget(this.#root + path);
    if (target === undefined) return blocked(path);
    this.links.set(path, target);
    return this.#follow(folder, target, linksFollowed);
  }

  /** `undefined` for a link. */
  #look(path: string, folder: string, name: string): Resolved | undefined {
    try {
      const stats = lstatSync(this.#root + path, { bigint: true, throwIfNoEntry: false });
      if (stats === undefined) return { kind: "absent", path, folder, name };
      if (stats.isSymbolicLink()) return undefined;
      const kind = stats.isFile() ? "file" : stats.isDirectory() ? "directory" : "other";
      return { kind, path, stats };
    } catch {
      // EACCES, ENAMETOOLONG, EIO: whoever opens it sees that error.
      return blocked(path);
    }
  }

  #follow(folder: string, target: string, linksFollowed: number): Resolved {
    if (linksFollowed >= maxLinks || target === "") return blocked(folder);
    return this.#resolve(target.startsWith("/") ? target : `${folder}/${target}`, linksFollowed + 1);
  }
}

function blocked(path: string): Resolved {
  return { kind: "blocked", path };
}

function readTarget(path: string): string | undefined {
  try {
    const bytes = readlinkSync(path, "buffer");
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
