import { CannotScan } from "./cannot-scan.ts";
import type { FileNode, FileTree, SpelledPath } from "./file-tree.ts";
import type { Child, Memo } from "./memo.ts";
import type { SourceRecord } from "./source-files.ts";

/**
 * Everything that a scan read, and everything whose existence decided what it read; each once. The same object as last
 * time while all of it is as it was, except for the contents of files.
 */
export interface ScannedClosure<R extends SourceRecord> {
  readonly files: readonly FileNode<R>[];
  /** Folders that must be there. */
  readonly directories: readonly FileNode<R>[];
  readonly links: readonly FileNode<R>[];
  /** Names that their folders do not have, those of one folder together. */
  readonly absent: readonly FileNode<R>[];
}

/** Collects paths and memos into a closure. */
export class ClosureCollector<R extends SourceRecord> {
  readonly #tree: FileTree<R>;
  readonly #number: number;
  readonly #nodes = new Set<FileNode<R>>();

  /** `number` is another one for each collection. */
  constructor(tree: FileTree<R>, number: number) {
    this.#tree = tree;
    this.#number = number;
  }

  addChildren(children: readonly Child<R>[]): void {
    for (const { resolution, memo } of children) {
      for (const probe of resolution.probes) this.add(probe);
      if (memo !== undefined) this.#addMemo(memo);
    }
  }

  add({ end, links, crossed }: SpelledPath<R>): void {
    this.#nodes.add(end);
    for (const link of links) this.#nodes.add(link);
    for (const folder of crossed) this.#nodes.add(folder);
  }

  closure(): ScannedClosure<R> {
    const files: FileNode<R>[] = [];
    const directories: FileNode<R>[] = [];
    const links: FileNode<R>[] = [];
    const absent = new Map<FileNode<R>, FileNode<R>[]>();
    for (const node of this.#nodes) {
      if (node.kind === "file") files.push(identified(node, this.#tree));
      else if (node.kind === "directory") directories.push(node);
      else if (node.kind === "link") links.push(node);
      else if (node.kind === "absent" && node.parent !== undefined) {
        const siblings = absent.get(node.parent);
        if (siblings === undefined) absent.set(node.parent, [node]);
        else siblings.push(node);
      }
    }
    // Copies, because an array that grew has room for 16 more.
    return {
      files: files.slice(),
      directories: directories.slice(),
      links: links.slice(),
      absent: [...absent.values()].flat(),
    };
  }

  #addMemo(memo: Memo<R>): void {
    if (memo.collectedIn === this.#number) return;
    memo.collectedIn = this.#number;
    this.addChildren(memo.children);
  }
}

/** With a record of what it contains now. */
function identified<R extends SourceRecord>(node: FileNode<R>, tree: FileTree<R>): FileNode<R> {
  if (tree.identify(node) === undefined) throw new CannotScan("unreadable", node.path);
  return node;
}

/** A closure as it was when it was made, to be compared with how things are now. */
export class ClosureWatch<R extends SourceRecord> {
  readonly closure: ScannedClosure<R>;
  /** What of it belongs to no include. */
  readonly around: ReadonlySet<SpelledPath<R>>;
  readonly #except: FileNode<R>;
  readonly #records: (R | undefined)[];
  readonly #versions: Int32Array;
  /** Of each folder that lacks names: where its names end, and its listing. */
  readonly #lacking: Int32Array;

  /** `except` is the source, whose contents may change. */
  constructor(closure: ScannedClosure<R>, except: FileNode<R>, around: ReadonlySet<SpelledPath<R>>) {
    this.closure = closure;
    this.around = around;
    this.#except = except;
    const { files, directories, links, absent } = closure;
    this.#records = files.map(({ record }) => record);
    this.#versions = Int32Array.from([...files, ...directories, ...links], ({ version }) => version);
    this.#lacking = lackingFolders(absent);
  }

  /** Words in memory, with the three lists that callers make of it. */
  get weight(): number {
    const { files, directories, links, absent } = this.closure;
    return files.length * 6 + (directories.length + links.length) * 4 + absent.length * 2 + 200;
  }

  /** Looks at all of it. Throws `TreeChanged` where a folder or link is another one. */
  holds(tree: FileTree<R>): boolean {
    const { files, directories, links, absent } = this.closure;
    let at = 0;
    for (const node of links) tree.refresh(node);
    for (const node of directories) tree.refresh(node);
    this.#refreshLacking(tree);
    for (const node of files) {
      tree.refresh(node);
      if (node.version !== this.#versions[at] || !this.#isAsItWas(node, at, tree)) return false;
      at += 1;
    }
    for (const nodes of [directories, links]) {
      for (const node of nodes) {
        if (node.version !== this.#versions[at]) return false;
        at += 1;
      }
    }
    return this.#areAbsent(absent, tree);
  }

  #refreshLacking(tree: FileTree<R>): void {
    let first = 0;
    for (let at = 0; at < this.#lacking.length; at += 2) {
      const folder = this.closure.absent[first]?.parent;
      if (folder !== undefined) tree.refresh(folder);
      first = this.#lacking[at] ?? 0;
    }
  }

  #areAbsent(absent: readonly FileNode<R>[], tree: FileTree<R>): boolean {
    const lacking = this.#lacking;
    let first = 0;
    for (let at = 0; at < lacking.length; at += 2) {
      const end = lacking[at] ?? 0;
      const listing = absent[first]?.parent?.listing ?? 0;
      if (listing !== lacking[at + 1]) {
        for (const node of absent.slice(first, end)) {
          tree.refresh(node);
          if (node.kind !== "absent") return false;
        }
        lacking[at + 1] = listing;
      }
      first = end;
    }
    return true;
  }

  #isAsItWas(node: FileNode<R>, index: number, tree: FileTree<R>): boolean {
    if (node === this.#except) return node.kind === "file";
    const record = tree.identify(node);
    const before = this.#records[index];
    if (record === undefined || before === undefined) return false;
    if (record === before) return true;
    // It was touched, or was too young to be known by its stat.
    if (!sameEntry(before, record)) return false;
    this.#records[index] = record;
    return true;
  }
}

function lackingFolders<R extends SourceRecord>(absent: readonly FileNode<R>[]): Int32Array {
  const folders: number[] = [];
  for (const [index, { parent }] of absent.entries())
    if (parent !== absent[index + 1]?.parent) folders.push(index + 1, parent?.listing ?? 0);
  return Int32Array.from(folders);
}

function sameEntry(one: SourceRecord, other: SourceRecord): boolean {
  return one.entry.digest === other.entry.digest && one.entry.mtimeNs === other.entry.mtimeNs;
}
