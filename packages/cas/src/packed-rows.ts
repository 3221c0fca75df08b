import { hash } from "node:crypto";

/** Of what names a row: SHA-256, cut to where nobody makes two that are equal. */
const keyBytes = 16;
const wordBytes = Int32Array.BYTES_PER_ELEMENT;
/** 64 Ki rows, which take room in memory as they are written. */
const defaultSegmentRows = 1 << 16;
/** Of a segment that is full every other slot is empty: a search ends after 1.5 steps. */
const slotsPerRow = 2;

export interface PackedRowsOptions {
  /** Of whole words. */
  readonly valueBytes: number;
  /** The oldest is forgotten for a new one; without a bound none is. */
  readonly maxSegments?: number;
  readonly segmentRows?: number;
}

/**
 * A table of short values by texts, outside the heap: a row takes 24 bytes and its value, where a `Map` of strings takes 200 to 500 and
 * the collector goes through all of them. For what is kept by the hundred thousand and rarely asked for: a look takes 2 µs,
 * most of them for the hash.
 */
export class PackedRows {
  readonly #valueBytes: number;
  readonly #maxSegments: number;
  readonly #segmentRows: number;
  /** The oldest first. */
  readonly #segments: Segment[] = [];

  constructor({ valueBytes, maxSegments = Infinity, segmentRows = defaultSegmentRows }: PackedRowsOptions) {
    this.#valueBytes = valueBytes;
    this.#maxSegments = maxSegments;
    this.#segmentRows = segmentRows;
  }

  get size(): number {
    return this.#segments.reduce((sum, { rows }) => sum + rows, 0);
  }

  /** Reserved; what of it was never written takes no memory. */
  get bytes(): number {
    return this.#segments.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** The value in its place: not to be kept or written to. */
  get(name: string): Buffer | undefined {
    return this.#segments.length === 0 ? undefined : this.#find(keyOf(name));
  }

  /** What is known already keeps its value and its age. */
  add(name: string, value: Uint8Array): void {
    const key = keyOf(name);
    if (this.#find(key) !== undefined) return;
    let newest = this.#segments.at(-1);
    if (newest === undefined || newest.rows === this.#segmentRows) {
      newest = new Segment(this.#segmentRows, this.#valueBytes);
      this.#segments.push(newest);
      if (this.#segments.length > this.#maxSegments) this.#segments.shift();
    }
    newest.add(key, value);
  }

  #find(key: Key): Buffer | undefined {
    for (const segment of this.#segments) {
      const value = segment.get(key);
      if (value !== undefined) return value;
    }
    return undefined;
  }
}

/** Rows in the order in which they came, found by open addressing: keys are hashes, so their first word says where to look. */
class Segment {
  readonly #rowBytes: number;
  readonly #rows: Buffer;
  /** The same by words. */
  readonly #words: Int32Array;
  /** Number of the row plus 1, or 0. */
  readonly #slots: Int32Array;
  #count = 0;

  constructor(maxRows: number, valueBytes: number) {
    this.#rowBytes = keyBytes + valueBytes;
    const rows = new ArrayBuffer(maxRows * this.#rowBytes);
    this.#rows = Buffer.from(rows);
    this.#words = new Int32Array(rows);
    this.#slots = new Int32Array(maxRows * slotsPerRow);
  }

  get rows(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#rows.byteLength + this.#slots.byteLength;
  }

  get(key: Key): Buffer | undefined {
    const row = this.#slots[this.#slotOf(key)] ?? 0;
    if (row === 0) return undefined;
    return this.#rows.subarray((row - 1) * this.#rowBytes + keyBytes, row * this.#rowBytes);
  }

  add(key: Key, value: Uint8Array): void {
    const at = this.#count * this.#rowBytes;
    this.#count += 1;
    this.#slots[this.#slotOf(key)] = this.#count;
    this.#words.set(key, at / wordBytes);
    this.#rows.set(value, at + keyBytes);
  }

  /** Where the key is, or would be. */
  #slotOf(key: Key): number {
    const slots = this.#slots;
    let slot = ((key[0] ?? 0) >>> 0) % slots.length;
    for (;;) {
      const row = slots[slot] ?? 0;
      if (row === 0 || this.#hasKey(row, key)) return slot;
      slot = (slot + 1) % slots.length;
    }
  }

  #hasKey(row: number, key: Key): boolean {
    const words = this.#words;
    const at = ((row - 1) * this.#rowBytes) / wordBytes;
    return (
      words[at] === key[0] && words[at + 1] === key[1] && words[at + 2] === key[2] && words[at + 3] === key[3]
    );
  }
}

type Key = Int32Array<ArrayBuffer>;
const latestKey: Key = new Int32Array(keyBytes / wordBytes);
const latestKeyBytes = Buffer.from(latestKey.buffer);

/** Until the next one. As hexadecimal digits, because a buffer of its own takes three times as long as the hash: 0.3 µs. */
function keyOf(name: string): Key {
  latestKeyBytes.write(hash("sha256", name, "hex"), "hex");
  return latestKey;
}
