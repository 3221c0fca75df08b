import { readSync } from "node:fs";
import { mkdir, open, rename, rm, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import type { DirectiveStore } from "@homcc/scanner/directive-cache";
import {
  beginFile,
  decodeRecord,
  encodeRecord,
  firstRecordOffset,
  maxRecordBytes,
  readRecords,
} from "./directive-file.ts";

export interface KeptDirectivesOptions {
  /** The file may become larger by what is written at once. */
  readonly maxBytes?: number;
  /** Likewise. */
  readonly maxRecords?: number;
  /** What is put is in the file that much later. */
  readonly saveDelayMs?: number;
  /** Told once, about a file that cannot be used. */
  readonly onProblem?: (error: unknown) => void;
}

/** 20,000 headers: twice of what is held in memory. */
const defaultMaxBytes = 32 << 20;
/** Where each is takes 200 bytes of memory. */
const defaultMaxRecords = 1 << 15;
const defaultSaveDelayMs = 2_000;
/** A build that lexes faster than it saves has lists made again rather than memory filled. */
const maxUnsavedBytes = 16 << 20;
/** Encoded and written at once: 2 ms. */
const batchBytes = 1 << 20;
/** Offset times this plus length: one number for each record. */
const lengths = 2 ** 20;

interface OpenFile {
  readonly kind: "open";
  readonly file: FileHandle;
  /** Offset and length of the record with each key, the oldest first. */
  readonly index: Map<string, number>;
}

type State =
  | { readonly kind: "closed" }
  | { readonly kind: "opening"; readonly done: Promise<void> }
  | OpenFile
  | { readonly kind: "unusable" };

/**
 * Lists of directives in a file, for the next agent: 582 headers of the C++ library and the system take 0.8 MB of it. It is opened by
 * the first scan, written behind the jobs' backs, and halved when it is full: what was of use since it was opened stays, then
 * the newest. Two agents may share it: one that reads where the other has compacted finds records that do not
 * match their keys, and lexes.
 */
export class KeptDirectives implements DirectiveStore {
  readonly #path: string;
  readonly #maxBytes: number;
  readonly #maxRecords: number;
  readonly #saveDelayMs: number;
  readonly #onProblem: (error: unknown) => void;
  #state: State = { kind: "closed" };
  readonly #unsaved = new Map<string, Uint8Array>();
  #unsavedBytes = 0;
  readonly #used = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  /** Writes come one after another. */
  #saving: Promise<void> = Promise.resolve();

  constructor(path: string, options: KeptDirectivesOptions = {}) {
    this.#path = path;
    this.#maxBytes = options.maxBytes ?? defaultMaxBytes;
    this.#maxRecords = options.maxRecords ?? defaultMaxRecords;
    this.#saveDelayMs = options.saveDelayMs ?? defaultSaveDelayMs;
    this.#onProblem = options.onProblem ?? (() => {});
  }

  /** Until then all lists are unknown. Takes 20 ms for 32 MB, in pieces; never rejects. */
  async ready(): Promise<void> {
    if (this.#state.kind === "closed") this.#state = { kind: "opening", done: this.#open() };
    if (this.#state.kind === "opening") await this.#state.done;
  }

  get(key: string): Uint8Array | undefined {
    const unsaved = this.#unsaved.get(key);
    if (unsaved !== undefined || this.#state.kind !== "open") return unsaved;
    const { file, index } = this.#state;
    const place = index.get(key);
    if (place === undefined) return undefined;
    const record = readRecord(file, place);
    if (record?.key !== key) {
      index.delete(key);
      return undefined;
    }
    this.#used.add(key);
    return record.list;
  }

  put(key: string, list: Uint8Array): void {
    if (this.#state.kind === "unusable" || list.length + key.length > maxRecordBytes - 16) return;
    if (this.#unsavedBytes + list.length > maxUnsavedBytes || this.#unsaved.has(key)) return;
    this.#unsaved.set(key, list);
    this.#unsavedBytes += list.length;
    this.#timer ??= setTimeout(() => void this.save(), this.#saveDelayMs).unref();
  }

  /** Never rejects. */
  async save(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#saving = this.#saving.then(() => this.#save()).catch((error: unknown) => this.#giveUp(error));
    await this.#saving;
  }

  /** Saves, and forgets where what is until somebody asks again. Never rejects. */
  async release(): Promise<void> {
    await this.save();
    if (this.#state.kind !== "open") return;
    const { file } = this.#state;
    this.#state = { kind: "closed" };
    this.#used.clear();
    await file.close().catch(() => {});
  }

  async #open(): Promise<void> {
    try {
      await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
      const file = await open(this.#path, "a+", 0o600);
      await beginFile(file);
      const index = new Map<string, number>();
      let end = firstRecordOffset;
      for await (const records of readRecords(file)) {
        for (const { key, offset, bytes } of records) {
          remember(index, key, offset, bytes.length);
          end = offset + bytes.length;
        }
      }
      // Behind what is torn nobody would find anything.
      if ((await file.stat()).size > end) await file.truncate(end);
      this.#state = { kind: "open", file, index };
    } catch (error) {
      await this.#giveUp(error);
    }
  }

  async #save(): Promise<void> {
    if (this.#unsaved.size === 0) return;
    await this.ready();
    if (this.#state.kind !== "open") return;
    const { file, index } = this.#state;
    let { size: end } = await file.stat();
    while (this.#unsaved.size > 0) {
      const batch = this.#nextBatch();
      await file.appendFile(Buffer.concat(batch.map(({ record }) => record)));
      for (const { key, record } of batch) {
        remember(index, key, end, record.length);
        end += record.length;
        this.#used.add(key);
        this.#unsavedBytes -= this.#unsaved.get(key)?.length ?? 0;
        this.#unsaved.delete(key);
      }
    }
    if (end > this.#maxBytes || index.size > this.#maxRecords) await this.#compact(file, index);
  }

  #nextBatch(): { readonly key: string; readonly record: Buffer }[] {
    const batch: { readonly key: string; readonly record: Buffer }[] = [];
    let bytes = 0;
    for (const [key, list] of this.#unsaved) {
      if (bytes > batchBytes) break;
      const record = encodeRecord(key, list);
      batch.push({ key, record });
      bytes += record.length;
    }
    return batch;
  }

  async #compact(file: FileHandle, index: ReadonlyMap<string, number>): Promise<void> {
    const kept = this.#keptKeys(index);
    const unfinished = `${this.#path}.${process.pid}.part`;
    await rm(unfinished, { force: true });
    const next = await open(unfinished, "ax+", 0o600);
    try {
      await beginFile(next);
      const nextIndex = new Map<string, number>();
      let end = firstRecordOffset;
      for await (const records of readRecords(file)) {
        const copied = records.filter(
          ({ key, offset, bytes }) => kept.has(key) && index.get(key) === placeOf(offset, bytes.length),
        );
        if (copied.length > 0) await next.appendFile(Buffer.concat(copied.map(({ bytes }) => bytes)));
        for (const { key, bytes } of copied) {
          remember(nextIndex, key, end, bytes.length);
          end += bytes.length;
        }
      }
      await rename(unfinished, this.#path);
      this.#state = { kind: "open", file: next, index: nextIndex };
      for (const key of this.#used) if (!nextIndex.has(key)) this.#used.delete(key);
    } catch (error) {
      await next.close();
      await rm(unfinished, { force: true });
      throw error;
    }
    await file.close();
  }

  #keptKeys(index: ReadonlyMap<string, number>): ReadonlySet<string> {
    const kept = new Set<string>();
    let bytes = 0;
    for (const key of [...[...this.#used].toReversed(), ...[...index.keys()].toReversed()]) {
      const place = index.get(key);
      if (place === undefined || kept.has(key)) continue;
      bytes += place % lengths;
      if (bytes > this.#maxBytes / 2 || kept.size >= this.#maxRecords / 2) break;
      kept.add(key);
    }
    return kept;
  }

  async #giveUp(problem: unknown): Promise<void> {
    const before = this.#state;
    if (before.kind === "unusable") return;
    this.#state = { kind: "unusable" };
    this.#unsaved.clear();
    this.#unsavedBytes = 0;
    this.#onProblem(problem);
    if (before.kind === "open") await before.file.close().catch(() => {});
  }
}

function placeOf(offset: number, length: number): number {
  return offset * lengths + length;
}

function remember(index: Map<string, number>, key: string, offset: number, length: number): void {
  index.delete(key);
  index.set(key, placeOf(offset, length));
}

/** 5 µs. */
function readRecord(file: FileHandle, place: number): ReturnType<typeof decodeRecord> {
  const bytes = Buffer.allocUnsafe(place % lengths);
  try {
    const read = readSync(file.fd, bytes, 0, bytes.length, Math.floor(place / lengths));
    return decodeRecord(bytes.subarray(0, read));
  } catch {
    return undefined;
  }
}
