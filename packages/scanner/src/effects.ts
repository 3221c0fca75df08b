/** What a stretch of source reads of the macros before it and leaves behind: pairs of symbol and value. */
export interface Effects {
  /** Shared with others. */
  readonly words: Int32Array;
  /** Where the reads begin: each symbol once, with the value it had when the stretch began. */
  readonly reads: number;
  /** Where they end and the writes begin: each symbol once, with the value it has when the stretch ends. */
  readonly writes: number;
  readonly end: number;
}

export const noEffects: Effects = { words: new Int32Array(), reads: 0, writes: 0, end: 0 };

const chunkWords = 1 << 16;

/**
 * Effects of many files in few arrays: an Int32Array costs 350 bytes besides its words, and each of them the collector's
 * time. A chunk lives as long as any effects in it.
 */
export class EffectsStore {
  #chunk = new Int32Array();
  #used = 0;

  put(reads: readonly number[], writes: readonly number[]): Effects {
    const length = reads.length + writes.length;
    if (this.#used + length > this.#chunk.length) {
      this.#chunk = new Int32Array(Math.max(chunkWords, length));
      this.#used = 0;
    }
    const words = this.#chunk;
    const start = this.#used;
    words.set(reads, start);
    words.set(writes, start + reads.length);
    this.#used += length;
    return { words, reads: start, writes: start + reads.length, end: start + length };
  }
}
