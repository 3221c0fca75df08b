import type { BigIntStats } from "node:fs";
import { isSettled } from "@homcc/compiler/stamp";
import { posix } from "node:path";
import { CannotScan } from "./cannot-scan.ts";
import type { FolderChanges } from "./folder-changes.ts";
import { Interruption } from "./interruptions.ts";
import { neverQuiet, QuietFolders, untried } from "./quiet-folders.ts";
import type { FileStats, SourceFiles, SourceRecord } from "./source-files.ts";

/** Something that a name led to, by real path. */
export interface FileNode<R extends SourceRecord = SourceRecord> {
  readonly path: string;
  readonly name: string;
  readonly parent: FileNode<R> | undefined;
  kind: "file" | "directory" | "link" | "absent" | "other" | "blocked";
  /** Counts changes of `kind`: who remembers where a path led compares it. */
  version: number;
  stats: FileStats | undefined;
  target: string;
  /** What it contained when it was last identified. */
  record: R | undefined;
  /** The tree's `now` when that began. */
  identifiedAt: number;
  /** Of a folder in which something was looked for. */
  children: Map<string, FileNode<R>> | undefined;
  /** The tree's `now` when it was last looked at. */
  lookedAt: number;
  /** Of a folder: counts what may have added or removed names. */
  listing: number;
  /** Of an absent name: the folder's `listing` under which it was absent. */
  absentIn: number;
  /** Of a folder that is watched: another number after each change in it; else none above 0. */
  changes: number;
  /** Of a file: the folder's `changes` under which it was looked at, if that counts for later. */
  quietIn: number;
}

/** Where a path as spelled leads. */
export interface SpelledPath<R extends SourceRecord = SourceRecord> {
  readonly spelled: string;
  readonly end: FileNode<R>;
  readonly endVersion: number;
  /** Links on the way. */
  readonly links: readonly FileNode<R>[];
  /** Folders that the path leaves by `..`. */
  readonly crossed: readonly FileNode<R>[];
}

/** A folder or link that answers were based on is another one: everything has to be looked at anew. */
export class TreeChanged extends Error {}

const none: readonly never[] = [];
const maxLinks = 40;
/** Of a file, with its name, path and stat. */
const nodeBytes = 350;
const pathBytes = 150;
const defaultMaxNodes = 200_000;

/**
 * All names that scans asked for, as a tree of real paths. A look costs one lstat (1.9 µs) and counts for every scan
 * that began before it; an absent name costs none while its folder's stat stays, provided the folder was left alone for
 * longer than the clock's grain before. Nor does a file whose folder is watched and has not changed, for scans that waited
 * until that was certain (`catchUp`).
 */
export class FileTree<R extends SourceRecord = SourceRecord> {
  readonly files: SourceFiles<R>;
  readonly #maxNodes: number;
  readonly #quiet: QuietFolders<R> | undefined;
  #root: FileNode<R>;
  #paths = new Map<string, SpelledPath<R>>();
  #nodes = 0;
  #now = 1;
  #since = 1;

  constructor(files: SourceFiles<R>, maxNodes = defaultMaxNodes, changes?: FolderChanges) {
    this.files = files;
    this.#maxNodes = maxNodes;
    this.#quiet = changes && new QuietFolders(changes);
    this.#root = this.#makeNode("/", "/", undefined);
  }

  /** For a scan that begins now: earlier looks do not count for it. */
  arrive(): number {
    this.#now += 1;
    return this.#now;
  }

  /** Saves a scan that arrived then the looks at files in folders that tell of their changes; await it before `serve`. */
  async catchUp(arrival: number): Promise<void> {
    await this.#quiet?.catchUp(arrival, () => this.#now);
  }

  /** Looks are made for a scan that arrived then: those that were made since are not repeated. */
  serve(arrival: number): void {
    this.#since = arrival;
  }

  get bytes(): number {
    return this.#nodes * nodeBytes + this.#paths.size * pathBytes;
  }

  get isFull(): boolean {
    return this.#nodes > this.#maxNodes;
  }

  clear(): void {
    this.#quiet?.clear();
    this.#nodes = 0;
    this.#paths = new Map();
    this.#root = this.#makeNode("/", "/", undefined);
  }

  /** Where an absolute path leads now; another object than before if it led elsewhere then. */
  look(spelled: string): SpelledPath<R> {
    const known = this.#paths.get(spelled);
    if (known !== undefined && this.holds(known)) return known;
    const links: FileNode<R>[] = [];
    const crossed: FileNode<R>[] = [];
    const end = this.#resolve(spelled, links, crossed);
    const path = {
      spelled,
      end,
      endVersion: end.version,
      // Copies, because an array that grew has room for 16 more; most are empty.
      links: links.length === 0 ? none : links.slice(),
      crossed: crossed.length === 0 ? none : crossed.slice(),
    };
    this.#paths.set(spelled, path);
    return path;
  }

  /** Whether a path still leads to what it led to; looks at it, if need be. */
  holds(path: SpelledPath<R>): boolean {
    for (const link of path.links) this.refresh(link);
    this.refresh(path.end);
    return path.end.version === path.endVersion;
  }

  /** Its lstat as of now. */
  refresh(node: FileNode<R>): void {
    if (node.lookedAt >= this.#since) return;
    const { parent } = node;
    if (parent !== undefined) {
      this.refresh(parent);
      if (parent.kind !== "directory") throw new TreeChanged();
      if (node.kind === "absent" && node.absentIn === parent.listing) {
        node.lookedAt = parent.lookedAt;
        return;
      }
      const quiet = this.#quiet;
      if (quiet !== undefined && quiet.quietAt >= this.#since && quiet.isQuiet(node, parent)) {
        node.lookedAt = quiet.quietAt;
        return;
      }
    }
    this.#inspect(node);
  }

  /**
   * What a file contains that was refreshed; `undefined` when it cannot be read. A file whose stat proves nothing yet is
   * read for all scans that arrived before, not by each place that asks.
   */
  identify(node: FileNode<R>): R | undefined {
    const { record, stats } = node;
    if (stats === undefined) return undefined;
    if (node.identifiedAt >= this.#since) return record;
    if (record !== undefined && this.files.isUnchanged(record, stats)) return record;
    const now = this.#now;
    const read = this.files.identify(node.path, stats);
    const keep = (found: R | undefined): void => {
      node.record = found;
      node.identifiedAt = now;
    };
    if (read !== undefined && "later" in read) throw new Interruption(async () => keep(await read.later()));
    keep(read);
    return read;
  }

  #inspect(node: FileNode<R>): void {
    const { kind, stats: before } = node;
    const readAtMs = kind === "file" ? 0 : this.files.wallMs();
    node.lookedAt = this.#now;
    const stats = this.#lookAt(node);
    if (stats !== "blocked" && isSameFile(node, stats)) {
      node.stats = kept(before, stats);
      return;
    }
    node.stats = stats === "blocked" ? undefined : kept(before, stats);
    node.kind = stats === "blocked" ? "blocked" : kindOf(stats);
    if (node.kind !== kind) {
      if (kind === "directory" || kind === "link") throw new TreeChanged();
      node.version += 1;
      node.record = undefined;
      node.identifiedAt = 0;
    }
    if (stats === "blocked") return;
    if (stats === undefined) {
      node.absentIn = node.parent?.listing ?? 0;
      return;
    }
    // Replaced by another file: `#pragma once` may know it under another name.
    if (node.kind === "file" && before !== undefined && isOtherInode(before, stats)) node.version += 1;
    if (node.kind === "directory")
      this.#inspectFolder(node, kind === "directory" ? before : undefined, stats, readAtMs);
    else if (node.kind === "link") this.#inspectLink(node, kind);
  }

  /** `before`: of the folder that it was before, if it was one. */
  #inspectFolder(
    node: FileNode<R>,
    before: FileStats | undefined,
    stats: BigIntStats,
    readAtMs: number,
  ): void {
    if (before !== undefined && isOtherInode(before, stats)) throw new TreeChanged();
    const same = before?.mtimeNs === stats.mtimeNs && before.ctimeNs === stats.ctimeNs;
    if (same && isSettled(stats, readAtMs)) return;
    node.listing += 1;
    this.#quiet?.forget(node);
  }

  #inspectLink(node: FileNode<R>, kindBefore: FileNode["kind"]): void {
    const target = this.#target(node.path);
    if (kindBefore === "link" && target !== node.target) throw new TreeChanged();
    node.target = target;
  }

  /** An lstat that is made while the folder is watched, if it can be. */
  #lookAt(node: FileNode<R>): BigIntStats | undefined | "blocked" {
    const { path, parent } = node;
    node.quietIn = neverQuiet;
    let stats = this.#lstat(path);
    const quiet = this.#quiet;
    if (quiet === undefined || parent === undefined || !isRegularFile(stats)) return stats;
    if (quiet.attend(parent)) stats = this.#lstat(path);
    if (isRegularFile(stats)) quiet.looked(node, parent, stats);
    return stats;
  }

  #lstat(path: string): BigIntStats | undefined | "blocked" {
    try {
      return this.files.lstat(path);
    } catch {
      // EACCES, ENAMETOOLONG, EIO: whoever opens it sees that error.
      return "blocked";
    }
  }

  #target(path: string): string {
    try {
      return this.files.readlink(path);
    } catch {
      throw new CannotScan("unreadable", path);
    }
  }

  /** Component by component, as the kernel does. */
  #resolve(path: string, links: FileNode<R>[], crossed: FileNode<R>[]): FileNode<R> {
    let node = this.#root;
    this.refresh(node);
    for (const name of path.split("/")) {
      if (name === "" || name === ".") continue;
      if (node.kind === "absent") return node;
      if (node.kind !== "directory") throw new CannotScan("unreadable", `${node.path} is no folder`);
      if (name === "..") {
        if (node !== this.#root) crossed.push(node);
        node = node.parent ?? node;
        continue;
      }
      node = this.#child(node, name);
      if (node.kind === "link") node = this.#follow(node, links, crossed);
    }
    return node;
  }

  #follow(link: FileNode<R>, links: FileNode<R>[], crossed: FileNode<R>[]): FileNode<R> {
    if (links.length >= maxLinks) throw new CannotScan("unreadable", `too many links: ${link.path}`);
    links.push(link);
    const { target, parent } = link;
    const absolute = target.startsWith("/") ? target : `${parent?.path ?? ""}/${target}`;
    return this.#resolve(absolute, links, crossed);
  }

  #child(folder: FileNode<R>, name: string): FileNode<R> {
    const known = folder.children?.get(name);
    if (known !== undefined) {
      this.refresh(known);
      return known;
    }
    const node = this.#makeNode(folder === this.#root ? `/${name}` : `${folder.path}/${name}`, name, folder);
    folder.children ??= new Map();
    folder.children.set(name, node);
    this.#inspect(node);
    return node;
  }

  #makeNode(path: string, name: string, parent: FileNode<R> | undefined): FileNode<R> {
    this.#nodes += 1;
    return {
      path,
      name,
      parent,
      kind: "absent",
      version: 0,
      stats: undefined,
      target: "",
      record: undefined,
      identifiedAt: 0,
      children: undefined,
      lookedAt: 0,
      listing: 0,
      absentIn: -1,
      changes: untried,
      quietIn: neverQuiet,
    };
  }
}

/** Nothing but its contents may be another: what nearly all looks find. */
function isSameFile({ kind, stats: before }: FileNode, now: BigIntStats | undefined): now is BigIntStats {
  return (
    kind === "file" &&
    before !== undefined &&
    now !== undefined &&
    before.ino === now.ino &&
    before.mode === now.mode &&
    before.dev === now.dev
  );
}

/** What was kept before while nothing is new: 300 of each job that live until the next would all be moved by the collector. */
function kept(before: FileStats | undefined, now: BigIntStats | undefined): FileStats | undefined {
  if (now === undefined) return undefined;
  const isSame =
    before !== undefined &&
    before.ctimeNs === now.ctimeNs &&
    before.mtimeNs === now.mtimeNs &&
    before.size === now.size &&
    before.mode === now.mode &&
    !isOtherInode(before, now);
  return isSame ? before : fileStats(now);
}

function isRegularFile(stats: BigIntStats | undefined | "blocked"): stats is BigIntStats {
  return stats !== undefined && stats !== "blocked" && stats.isFile();
}

function isOtherInode(before: FileStats, now: FileStats): boolean {
  return before.ino !== now.ino || before.dev !== now.dev;
}

/** What is compared; all of a stat would take 800 bytes. */
function fileStats({ dev, ino, mode, size, mtimeNs, ctimeNs }: BigIntStats): FileStats {
  return { dev, ino, mode, size, mtimeNs, ctimeNs };
}

function kindOf(stats: BigIntStats | undefined): FileNode["kind"] {
  if (stats === undefined) return "absent";
  if (stats.isFile()) return "file";
  if (stats.isDirectory()) return "directory";
  return stats.isSymbolicLink() ? "link" : "other";
}

/** The folder of a spelled path. */
export function folderOf(spelled: string): string {
  return posix.dirname(spelled);
}
