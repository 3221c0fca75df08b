import type { FileNode, SpelledPath } from "./file-tree.ts";
import type { Child, Memo } from "./memo.ts";
import type { SourceRecord } from "./source-files.ts";

/** Everything that a scan read, and everything whose existence decided what it read. By real path. */
export interface ScannedClosure<R extends SourceRecord> {
  readonly files: ReadonlyMap<string, FileNode<R>>;
  /** Folders that must be there. */
  readonly directories: ReadonlySet<string>;
  readonly links: ReadonlyMap<string, string>;
  /** Names by the folder that does not have them. */
  readonly absent: ReadonlyMap<string, ReadonlySet<string>>;
}

/** Collects paths and memos into a closure. */
export class ClosureCollector<R extends SourceRecord> implements ScannedClosure<R> {
  readonly files = new Map<string, FileNode<R>>();
  readonly directories = new Set<string>();
  readonly links = new Map<string, string>();
  readonly absent = new Map<string, Set<string>>();
  readonly #number: number;
  readonly #nodes = new Set<FileNode<R>>();

  /** `number` is another one for each collection. */
  constructor(number: number) {
    this.#number = number;
  }

  addChildren(children: readonly Child<R>[]): void {
    for (const { resolution, memo } of children) {
      for (const probe of resolution.probes) this.add(probe);
      if (memo !== undefined) this.#addMemo(memo);
    }
  }

  add({ end, links, crossed }: SpelledPath<R>): void {
    for (const link of links) this.links.set(link.path, link.target);
    for (const folder of crossed) this.directories.add(folder.path);
    if (this.#nodes.has(end)) return;
    this.#nodes.add(end);
    if (end.kind === "file") this.files.set(end.path, end);
    else if (end.kind === "directory") this.directories.add(end.path);
    else if (end.kind === "absent") this.#addAbsent(end);
  }

  #addMemo(memo: Memo<R>): void {
    if (memo.collectedIn === this.#number) return;
    memo.collectedIn = this.#number;
    this.addChildren(memo.children);
  }

  #addAbsent({ parent, name }: FileNode<R>): void {
    const folder = parent?.path ?? "/";
    const names = this.absent.get(folder);
    if (names === undefined) this.absent.set(folder, new Set([name]));
    else names.add(name);
  }
}
