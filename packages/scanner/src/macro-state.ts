import { CannotScan } from "./cannot-scan.ts";
import { type Effects, EffectsStore, noEffects } from "./effects.ts";
import type { MacroTable } from "./macro-table.ts";

/**
 * The values of all symbols at one point of a scan, and a log of who read and wrote them. Besides macros, symbols stand
 * for everything else that steers a preprocessor: files that were marked `once`, stacks of pushed macros, the counter,
 * the compiler's answers. So one comparison decides whether a file would do the same again.
 */
export class MacroState {
  readonly #table: MacroTable;
  #values = new Int32Array(1 << 14);
  #log = new Int32Array(1 << 14);
  #logLength = 0;
  readonly #effects = new EffectsStore();
  readonly #nested: Effects[] = [];
  readonly #frames: { readonly log: number; readonly nested: number }[] = [];
  #seen = new Int32Array(1 << 14);
  #written = new Int32Array(1 << 14);
  #generation = 0;
  #base: ReadonlyMap<number, number> = new Map();
  /** The base by symbol: a scan of 500 headers has 8000 values to restore. */
  #baseValues = new Int32Array(1 << 14);
  readonly #uncertain = new Set<number>();
  readonly #stacks: { readonly value: number; readonly below: number }[] = [];
  readonly #stackIds = new Map<string, number>();

  constructor(table: MacroTable) {
    this.#table = table;
  }

  /** Values that are there before anything is read. Outside of all frames. */
  setBase(base: ReadonlyMap<number, number>): void {
    if (this.#base === base) return;
    for (const symbol of this.#base.keys()) this.#setBoth(symbol, 0);
    this.#base = base;
    for (const [symbol, value] of base) this.#setBoth(symbol, value);
  }

  /** Another value of the base, from the compiler's answer. */
  setBaseValue(base: Map<number, number>, symbol: number, value: number): void {
    base.set(symbol, value);
    if (this.#base === base) this.#setBoth(symbol, value);
  }

  read(symbol: number): number {
    const value = this.#values[symbol] ?? 0;
    this.#append(symbol * 2, value);
    if (this.#uncertain.size > 0 && this.#uncertain.has(symbol))
      throw new CannotScan("hidden-pragma", `${this.#table.name(symbol)} may have been pushed or popped`);
    return value;
  }

  write(symbol: number, value: number): void {
    this.#set(symbol, value);
    this.#append(symbol * 2 + 1, value);
  }

  /** True when the symbol was not uncertain before. */
  makeUncertain(symbol: number): boolean {
    const before = this.#uncertain.size;
    return this.#uncertain.add(symbol).size > before;
  }

  push(macro: string): void {
    const stack = this.#table.symbol(`push:${macro}`);
    const value = this.read(this.#table.symbol(macro));
    const below = this.read(stack);
    const key = `${value} ${below}`;
    let id = this.#stackIds.get(key);
    if (id === undefined) {
      id = this.#stacks.push({ value, below });
      this.#stackIds.set(key, id);
    }
    this.write(stack, id);
  }

  /** Nothing when nothing was pushed, as in compilers. */
  pop(macro: string): void {
    const stack = this.#table.symbol(`push:${macro}`);
    const top = this.#stacks[this.read(stack) - 1];
    if (top === undefined) return;
    this.write(this.#table.symbol(macro), top.value);
    this.write(stack, top.below);
  }

  matches({ words, reads, writes }: Effects): boolean {
    const values = this.#values;
    for (let at = reads; at < writes; at += 2) {
      if ((values[words[at] ?? 0] ?? 0) !== words[at + 1]) return false;
    }
    return true;
  }

  /** Does at once what a stretch with these effects would do; its reads must match. */
  apply(effects: Effects): void {
    const { words, writes, end } = effects;
    this.#reserve(this.#table.symbolCount);
    const values = this.#values;
    for (let at = writes; at < end; at += 2) values[words[at] ?? 0] = words[at + 1] ?? 0;
    this.#nested.push(effects);
    this.#append(-this.#nested.length, 0);
  }

  begin(): void {
    this.#frames.push({ log: this.#logLength, nested: this.#nested.length });
  }

  /** Ends the innermost frame. Its effects still have to be `note`d in the one around it. */
  end(): Effects {
    const frame = this.#frames.pop();
    if (frame === undefined) throw new Error("no frame");
    const effects = this.#summarize(frame.log);
    this.#logLength = frame.log;
    this.#nested.length = frame.nested;
    return effects;
  }

  /** Effects that already took place become part of the frame. */
  note(effects: Effects): void {
    this.#nested.push(effects);
    this.#append(-this.#nested.length, 0);
  }

  /** Undoes everything of all frames, also half-done ones. */
  rewind(): void {
    for (let at = 0; at < this.#logLength; at += 2) {
      const code = this.#log[at] ?? 0;
      if (code < 0) {
        const { words, writes, end } = this.#nested[-code - 1] ?? noEffects;
        const values = this.#values;
        const base = this.#baseValues;
        for (let index = writes; index < end; index += 2) {
          const symbol = words[index] ?? 0;
          values[symbol] = base[symbol] ?? 0;
        }
      } else if (code % 2 === 1) this.#restore((code - 1) / 2);
    }
    this.#frames.length = 0;
    this.#nested.length = 0;
    this.#logLength = 0;
  }

  #restore(symbol: number): void {
    this.#values[symbol] = this.#baseValues[symbol] ?? 0;
  }

  #setBoth(symbol: number, value: number): void {
    this.#set(symbol, value);
    this.#baseValues[symbol] = value;
  }

  #summarize(from: number): Effects {
    this.#generation += 1;
    const generation = this.#generation;
    this.#reserve(this.#table.symbolCount);
    const seen = this.#seen;
    const written = this.#written;
    const reads: number[] = [];
    const writes: number[] = [];
    const addRead = (symbol: number, value: number): void => {
      if (seen[symbol] === generation) return;
      seen[symbol] = generation;
      reads.push(symbol, value);
    };
    const addWrite = (symbol: number): void => {
      seen[symbol] = generation;
      if (written[symbol] === generation) return;
      written[symbol] = generation;
      writes.push(symbol, this.#values[symbol] ?? 0);
    };
    for (let at = from; at < this.#logLength; at += 2) {
      const code = this.#log[at] ?? 0;
      if (code >= 0) {
        if (code % 2 === 0) addRead(code / 2, this.#log[at + 1] ?? 0);
        else addWrite((code - 1) / 2);
        continue;
      }
      const nested = this.#nested[-code - 1];
      if (nested === undefined) continue;
      const { words } = nested;
      for (let index = nested.reads; index < nested.writes; index += 2)
        addRead(words[index] ?? 0, words[index + 1] ?? 0);
      for (let index = nested.writes; index < nested.end; index += 2) addWrite(words[index] ?? 0);
    }
    return this.#effects.put(reads, writes);
  }

  #set(symbol: number, value: number): void {
    if (symbol >= this.#values.length) this.#reserve(symbol + 1);
    this.#values[symbol] = value;
  }

  #append(code: number, value: number): void {
    if (this.#logLength + 2 > this.#log.length) this.#log = grown(this.#log, this.#log.length * 2);
    this.#log[this.#logLength] = code;
    this.#log[this.#logLength + 1] = value;
    this.#logLength += 2;
  }

  #reserve(symbols: number): void {
    if (symbols <= this.#values.length) return;
    const length = Math.max(symbols, this.#values.length * 2);
    this.#values = grown(this.#values, length);
    this.#baseValues = grown(this.#baseValues, length);
    this.#seen = grown(this.#seen, length);
    this.#written = grown(this.#written, length);
  }
}

function grown(array: Int32Array<ArrayBuffer>, length: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(length);
  larger.set(array);
  return larger;
}
