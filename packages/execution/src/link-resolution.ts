import { HomccError } from "@homcc/observability/error";

/** Linux's own bound. */
const maxLinks = 40;

/** Where a link at exactly this path points, `undefined` for everything that is no link. */
export type ReadLink = (path: string) => string | undefined;

/** The folder part of an absolute path; "" for what lies in `/`. */
export function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}

/**
 * Finds where a path really lies in a root whose links are known, as the kernel would: a job may call its output
 * `link/a.o`, but the file appears in the link's target. Folders are remembered, so one instance per root and job.
 */
export class LinkResolver {
  readonly #readLink: ReadLink;
  /** Folder as written → folder without links; both without a trailing slash, `/` is "". */
  readonly #folders = new Map<string, string>([["", ""]]);

  constructor(readLink: ReadLink) {
    this.#readLink = readLink;
  }

  /** All components but the last: the place where an entry of that name lies. */
  place(path: string): string {
    const folder = folderOf(path);
    return this.#folder(folder, 0) + path.slice(folder.length);
  }

  /** All components: where opening the path leads. */
  target(path: string): string {
    return this.#folder(path === "/" ? "" : path, 0) || "/";
  }

  /** Where opening a name of any spelling leads, from `cwd` when it is relative; `/` is "". */
  opened(name: string, cwd: string): string {
    return this.#follow(this.#folder(cwd === "/" ? "" : cwd, 0), name, 0);
  }

  #folder(path: string, links: number): string {
    const known = this.#folders.get(path);
    if (known !== undefined) return known;
    if (links > maxLinks) throw new HomccError("ERR_HOMCC_REFUSED", `too many symbolic links in ${path}`);
    const parent = folderOf(path);
    const place = this.#folder(parent, links) + path.slice(parent.length);
    const link = this.#readLink(place);
    const resolved = link === undefined ? place : this.#follow(folderOf(place), link, links + 1);
    this.#folders.set(path, resolved);
    return resolved;
  }

  #follow(from: string, link: string, links: number): string {
    let at = link.startsWith("/") ? "" : from;
    for (const name of link.split("/")) {
      if (name === "" || name === ".") continue;
      at = name === ".." ? folderOf(at) : this.#folder(`${at}/${name}`, links);
    }
    return at;
  }
}
