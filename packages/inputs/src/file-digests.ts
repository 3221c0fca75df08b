import { closeSync, fstatSync, lstatSync, openSync, readSync, type BigIntStats } from "node:fs";
import { open } from "node:fs/promises";
import type { InputEntry } from "@homcc/cas/action";
import { DigestBuilder, digestOf, type Digest } from "@homcc/cas/digest";
import { PackedDigests } from "@homcc/cas/packed-digests";
import { takeOldest } from "@homcc/cas/take-oldest";
import { isSettled, stampOf } from "@homcc/compiler/stamp";
import { systemClock, type Clock } from "@homcc/observability/clock";
import { Gate } from "./gate.ts";

type FileEntry = Extract<InputEntry, { readonly kind: "file" }>;

/** What is known about a regular file: its contents' digest, and the stat by which they can be known again. */
export interface FileRecord {
  readonly entry: FileEntry;
  readonly dev: bigint;
  readonly ino: bigint;
  readonly sizeBytes: bigint;
  readonly ctimeNs: bigint;
  /** Read long enough after its last change. When false, an equal stat proves nothing. */
  readonly settled: boolean;
}

/** By what of its stat a file is known again. */
export type FileStamp = Pick<BigIntStats, "dev" | "ino" | "size" | "mtimeNs" | "ctimeNs">;

export interface ReadFile {
  readonly record: FileRecord;
  readonly bytes: Uint8Array;
}

/** Of a large file. */
interface Reading {
  /** Of the calls for large files, which are numbered. */
  readonly begunIn: number;
  readonly done: Promise<ReadFile | undefined>;
}

/** Up to here a file is read at once, without the thread pool: 25 µs instead of 150 µs for a header of 10 kB. */
const maxSyncBytes = 256 << 10;
const chunkBytes = 1 << 20;
const maxConcurrentReads = 4;
/** 400 bytes each, with path and digest, where nobody else holds them any more. */
const defaultMaxRecords = 1 << 14;

/**
 * Digests of files, by real path. Each file is read once per change of its stat; one that changed within the grain of
 * the clock is read every time. Concurrent requests for a large file share one reading. The latest records are objects; of
 * half a million others there are 64 bytes each, from which a record is made again in 4 µs.
 */
export class FileDigests {
  readonly #clock: Clock;
  readonly #onRead: ((entry: FileEntry, bytes: Uint8Array) => void) | undefined;
  readonly #maxRecords: number;
  /** The latest, the oldest of them first. */
  readonly #records = new Map<string, FileRecord>();
  /** Those before them, by path and stat. Only of settled files: of others an equal stat would prove nothing. */
  readonly #earlier: PackedDigests;
  /** Made of those again, the oldest first. */
  readonly #restored = new Map<string, FileRecord>();
  readonly #reading = new Map<string, Reading>();
  readonly #gate = new Gate(maxConcurrentReads);
  /** The latest small one: who has to know a file again looks into it next, if its contents are new. */
  #latest: ReadFile | undefined;
  #largeCalls = 0;

  /** `onRead` gets the contents of each file that is read, its own to keep. */
  constructor(
    options: {
      readonly maxRecords?: number;
      readonly earlier?: PackedDigests;
      readonly clock?: Clock;
      readonly onRead?: (entry: FileEntry, bytes: Uint8Array) => void;
    } = {},
  ) {
    this.#onRead = options.onRead;
    this.#clock = options.clock ?? systemClock;
    this.#maxRecords = options.maxRecords ?? defaultMaxRecords;
    this.#earlier = options.earlier ?? new PackedDigests();
  }

  /** What is kept of files beyond the latest. */
  get packedBytes(): number {
    return this.#earlier.bytes;
  }

  /** `undefined` when it is not, or no longer, a readable regular file. `stats` is its lstat, taken just now. */
  async record(path: string, stats?: BigIntStats): Promise<FileRecord | undefined> {
    const now = stats ?? lstat(path);
    if (now === undefined || !now.isFile()) return undefined;
    return this.#known(path, now) ?? (await this.#read(path, now))?.record;
  }

  /** The same at once; a promise only for what is too large to be read at once. */
  recordNow(path: string, stats: FileStamp): FileRecord | undefined | Promise<FileRecord | undefined> {
    const known = this.#known(path, stats);
    if (known !== undefined) return known;
    const read = this.#read(path, stats);
    return read instanceof Promise ? read.then((file) => file?.record) : read?.record;
  }

  /**
   * The contents at once, likewise. Those of an entry that was identified before: they may be others by now, which their
   * digest tells, but are read only if need be.
   */
  readNow({
    path,
    digest,
  }: Pick<FileEntry, "path" | "digest">): ReadFile | undefined | Promise<ReadFile | undefined> {
    const latest = this.#latest?.record.entry;
    if (latest?.digest === digest && latest.path === path) return this.#latest;
    const stats = lstat(path);
    return stats?.isFile() === true ? this.#read(path, stats) : undefined;
  }

  /** The same with the contents. */
  async read(entry: Pick<FileEntry, "path" | "digest">): Promise<ReadFile | undefined> {
    return this.readNow(entry);
  }

  #known(path: string, stats: FileStamp): FileRecord | undefined {
    const known = this.#records.get(path) ?? this.#restored.get(path);
    if (known !== undefined) return isUnchanged(known, stats) ? known : undefined;
    const digest = this.#earlier.get(identityOf(path, stats));
    if (digest === undefined) return undefined;
    const record = recordOf({ kind: "file", path, digest, mtimeNs: stats.mtimeNs }, stats, true);
    this.#restored.set(path, record);
    takeOldest(this.#restored, this.#maxRecords >> 1);
    return record;
  }

  #read(path: string, stats: FileStamp): ReadFile | undefined | Promise<ReadFile | undefined> {
    return stats.size <= maxSyncBytes ? this.#readSmall(path, stats) : this.#shareReading(path, stats);
  }

  /** One that began before this call may have missed what was written since, unless the file is one that is known again. */
  async #shareReading(path: string, stats: FileStamp): Promise<ReadFile | undefined> {
    this.#largeCalls += 1;
    const call = this.#largeCalls;
    for (;;) {
      const { begunIn, done } = this.#reading.get(path) ?? this.#beginReading(path);
      const read = await done;
      if (begunIn >= call || (read !== undefined && isUnchanged(read.record, stats))) return read;
    }
  }

  #beginReading(path: string): Reading {
    const done = this.#gate.run(() => this.#readLarge(path)).finally(() => this.#reading.delete(path));
    const reading = { begunIn: this.#largeCalls, done };
    this.#reading.set(path, reading);
    return reading;
  }

  #readSmall(path: string, before: FileStamp): ReadFile | undefined {
    const readAtMs = this.#clock.wallMs();
    let file: number;
    try {
      file = openSync(path, "r");
    } catch {
      return undefined;
    }
    try {
      const stats = fstatSync(file, { bigint: true });
      if (!stats.isFile()) return undefined;
      const bytes = readToEnd(file, Number(stats.size));
      // The caller's numbers, where they are equal: it keeps them, and five of a file take 120 bytes.
      const stamp = isSameStamp(before, stats) ? before : stats;
      this.#latest = this.#found(this.#remember(path, stamp, digestOf(bytes), readAtMs), bytes);
      return this.#latest;
    } catch {
      return undefined;
    } finally {
      closeSync(file);
    }
  }

  async #readLarge(path: string): Promise<ReadFile | undefined> {
    const readAtMs = this.#clock.wallMs();
    try {
      await using file = await open(path, "r");
      const stats = await file.stat({ bigint: true });
      const builder = new DigestBuilder();
      const chunks: Buffer[] = [];
      for (;;) {
        const { buffer, bytesRead } = await file.read(
          Buffer.allocUnsafeSlow(chunkBytes),
          0,
          chunkBytes,
          null,
        );
        if (bytesRead === 0) break;
        const chunk = buffer.subarray(0, bytesRead);
        builder.update(chunk);
        chunks.push(chunk);
      }
      return this.#found(this.#remember(path, stats, builder.finish(), readAtMs), Buffer.concat(chunks));
    } catch {
      return undefined;
    }
  }

  #found(record: FileRecord, bytes: Uint8Array): ReadFile {
    this.#onRead?.(record.entry, bytes);
    return { record, bytes };
  }

  #remember(path: string, stats: FileStamp, digest: Digest, readAtMs: number): FileRecord {
    const known = (this.#records.get(path) ?? this.#restored.get(path))?.entry;
    const same = known?.digest === digest && known.mtimeNs === stats.mtimeNs;
    // The same object for the same contents: lists of inputs are compared and kept by the thousand.
    const entry: FileEntry = same ? known : { kind: "file", path, digest, mtimeNs: stats.mtimeNs };
    const record = recordOf(entry, stats, isSettled(stats, readAtMs));
    this.#restored.delete(path);
    this.#records.delete(path);
    this.#records.set(path, record);
    for (const oldest of takeOldest(this.#records, this.#maxRecords)) this.#pack(oldest);
    return record;
  }

  #pack(record: FileRecord): void {
    const { entry, settled } = record;
    if (settled) this.#earlier.add(identityOf(entry.path, stampIn(record)), entry.digest);
  }
}

function recordOf(entry: FileEntry, { dev, ino, size, ctimeNs }: FileStamp, settled: boolean): FileRecord {
  return { entry, dev, ino, sizeBytes: size, ctimeNs, settled };
}

function stampIn({ dev, ino, sizeBytes, ctimeNs, entry }: FileRecord): FileStamp {
  return { dev, ino, size: sizeBytes, mtimeNs: entry.mtimeNs, ctimeNs };
}

/** By which a file that is settled is known again: with its path, because not every file system gives each file a number of its own. */
function identityOf(path: string, stats: FileStamp): string {
  return `${stampOf(stats)}\0${path}`;
}

/** Whether a file with this lstat still has the contents of the record. */
export function isUnchanged(record: FileRecord, stats: FileStamp): boolean {
  return (
    record.settled &&
    record.ino === stats.ino &&
    record.ctimeNs === stats.ctimeNs &&
    record.entry.mtimeNs === stats.mtimeNs &&
    record.sizeBytes === stats.size &&
    record.dev === stats.dev
  );
}

function isSameStamp(one: FileStamp, other: FileStamp): boolean {
  return (
    one.ino === other.ino &&
    one.ctimeNs === other.ctimeNs &&
    one.mtimeNs === other.mtimeNs &&
    one.size === other.size &&
    one.dev === other.dev
  );
}

/** `undefined` for what does not exist or cannot be reached. */
export function lstat(path: string): BigIntStats | undefined {
  try {
    return lstatSync(path, { bigint: true, throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

/** All there is, also when the file grew since its stat. */
function readToEnd(file: number, expectedBytes: number): Uint8Array {
  let bytes = Buffer.allocUnsafeSlow(expectedBytes + 1);
  let filledBytes = 0;
  for (;;) {
    const read = readSync(file, bytes, filledBytes, bytes.length - filledBytes, null);
    if (read === 0) return bytes.subarray(0, filledBytes);
    filledBytes += read;
    if (filledBytes === bytes.length) bytes = Buffer.concat([bytes, Buffer.alloc(bytes.length)]);
  }
}
