import type { BigIntStats } from "node:fs";
import { type Digest, digestOf } from "@homcc/cas/digest";
import type { LanguageFacts } from "./language-facts.ts";
import type { ReadLater, SourceFiles, SourceRecord, SourceText } from "./source-files.ts";

interface MemoryRecord extends SourceRecord {
  readonly entry: { readonly path: string; readonly digest: Digest; readonly mtimeNs: bigint };
  readonly ino: bigint;
}

interface Entry {
  readonly kind: "file" | "directory" | "link";
  readonly ino: bigint;
  readonly text: string;
  changedAtMs: number;
}

const modes = { file: 0o100644n, directory: 0o040755n, link: 0o120777n };

/** A file system in memory that counts what is asked of it. Time passes when it is told to. */
export class MemoryFiles implements SourceFiles<MemoryRecord> {
  readonly #entries = new Map<string, Entry>();
  #nowMs = 1_000_000;
  #inodes = 0n;
  looks = 0;
  reads = 0;
  identifications = 0;
  /** Whether files can be known again by their stat. */
  settles = true;
  /** Longer texts are read later. */
  maxSyncBytes = Infinity;

  constructor() {
    this.#set("/", "directory", "");
  }

  /** An existing file keeps its inode, as when it is written in place. */
  write(path: string, text: string): void {
    this.#makeFolders(path);
    const known = this.#entries.get(path);
    // Each change has a time of its own, as on a file system with fine times.
    this.#nowMs += 1;
    if (known?.kind === "file")
      this.#entries.set(path, { kind: "file", ino: known.ino, text, changedAtMs: this.#nowMs });
    else this.#set(path, "file", text);
  }

  link(path: string, target: string): void {
    this.#makeFolders(path);
    this.#set(path, "link", target);
  }

  remove(path: string): void {
    for (const name of this.#entries.keys())
      if (name === path || name.startsWith(`${path}/`)) this.#entries.delete(name);
    this.#touch(path);
  }

  exists(path: string): boolean {
    return this.#entries.has(path);
  }

  wait(ms: number): void {
    this.#nowMs += ms;
  }

  lstat(path: string): BigIntStats | undefined {
    this.looks += 1;
    const entry = this.#entries.get(path);
    return entry && statsOf(entry);
  }

  readlink(path: string): string {
    return this.#entries.get(path)?.text ?? "";
  }

  identify(path: string): MemoryRecord | ReadLater<MemoryRecord | undefined> | undefined {
    const entry = this.#entries.get(path);
    if (entry?.kind !== "file") return undefined;
    this.identifications += 1;
    return this.#orLater(entry, recordOf(path, entry));
  }

  read({
    entry: { path },
  }: MemoryRecord): SourceText<MemoryRecord> | ReadLater<SourceText<MemoryRecord> | undefined> | undefined {
    const entry = this.#entries.get(path);
    if (entry?.kind !== "file") return undefined;
    this.reads += 1;
    return this.#orLater(entry, { record: recordOf(path, entry), bytes: Buffer.from(entry.text) });
  }

  isUnchanged({ entry, ino }: MemoryRecord, stats: BigIntStats): boolean {
    if (!this.settles) return false;
    return entry.mtimeNs === stats.mtimeNs && ino === stats.ino;
  }

  wallMs(): number {
    return this.#nowMs;
  }

  #orLater<T>({ text }: Entry, found: T): T | ReadLater<T> {
    return text.length > this.maxSyncBytes ? { later: () => Promise.resolve(found) } : found;
  }

  #makeFolders(path: string): void {
    const folder = path.slice(0, path.lastIndexOf("/"));
    if (folder === "" || this.#entries.has(folder)) return;
    this.#makeFolders(folder);
    this.#set(folder, "directory", "");
  }

  #set(path: string, kind: Entry["kind"], text: string): void {
    this.#inodes += 1n;
    this.#entries.set(path, { kind, ino: this.#inodes, text, changedAtMs: this.#nowMs });
    this.#touch(path);
  }

  /** The folder of what came or went. */
  #touch(path: string): void {
    const folder = this.#entries.get(path.slice(0, path.lastIndexOf("/")) || "/");
    this.#nowMs += 1;
    if (folder !== undefined) folder.changedAtMs = this.#nowMs;
  }
}

function recordOf(path: string, entry: Entry): MemoryRecord {
  const digest = digestOf(Buffer.from(entry.text));
  return { entry: { path, digest, mtimeNs: nsOf(entry) }, ino: entry.ino };
}

function nsOf({ changedAtMs }: Entry): bigint {
  return BigInt(changedAtMs) * 1_000_000n;
}

function statsOf(entry: Entry): BigIntStats {
  const stats = {
    dev: 1n,
    ino: entry.ino,
    mode: modes[entry.kind],
    size: BigInt(entry.text.length),
    mtimeNs: nsOf(entry),
    ctimeNs: nsOf(entry),
    isFile: () => entry.kind === "file",
    isDirectory: () => entry.kind === "directory",
    isSymbolicLink: () => entry.kind === "link",
  };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what a scan reads of it
  return stats as unknown as BigIntStats;
}

/** A language with nothing but `__has_include` and questions that `answer` answers. */
export function createFacts(answer: (question: string) => number | undefined = () => 0): LanguageFacts & {
  readonly asked: string[][];
} {
  const asked: string[][] = [];
  return {
    asked,
    predefined: Buffer.from("#define __PREDEFINED__ 1\n"),
    builtins: ["__has_include", "__has_include_next", "__has_attribute", "__COUNTER__", "__LINE__"],
    dialect: { trigraphs: false, digraphs: true, rawStrings: true, lineComments: true },
    cplusplus: true,
    elifdef: true,
    ask: (questions) => {
      const words = questions.map(({ name, operand }) => `${name}(${operand})`);
      asked.push(words);
      return Promise.resolve(words.map((word) => answer(word)));
    },
  };
}
