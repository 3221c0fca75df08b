import type { Child, Memo } from "./memo.ts";
import type { ScanSetting } from "./scan-setting.ts";
import type { ClosureWatch } from "./scanned-closure.ts";
import type { SourceRecord } from "./source-files.ts";

/** A translation unit that was scanned. */
export interface KnownUnit<R extends SourceRecord> {
  readonly setting: ScanSetting<R>;
  readonly watch: ClosureWatch<R>;
  /** What the command line and the compiler itself include, and the source. */
  readonly roots: readonly Child<R>[];
  /** The source's own. */
  readonly main: Memo<R>;
}

/** Of each word. */
const wordBytes = 8;
/** 24 MB. A unit with 80 headers and 800 names that were looked for in vain takes 18 kB. */
const maxWeight = 3_000_000;

/** The latest units by what asks for them. */
export class KnownUnits<R extends SourceRecord> {
  readonly #units = new Map<string, KnownUnit<R>>();
  #weight = 0;

  get bytes(): number {
    return this.#weight * wordBytes;
  }

  get(key: string): KnownUnit<R> | undefined {
    const unit = this.#units.get(key);
    if (unit === undefined) return undefined;
    this.#units.delete(key);
    this.#units.set(key, unit);
    return unit;
  }

  set(key: string, unit: KnownUnit<R>): void {
    this.#delete(key);
    this.#units.set(key, unit);
    this.#weight += unit.watch.weight;
    for (const oldest of this.#units.keys()) {
      if (this.#weight <= maxWeight || oldest === key) return;
      this.#drop(oldest);
    }
  }

  clear(): void {
    for (const key of this.#units.keys()) this.#drop(key);
  }

  /** Only its own unit needs what is known of a source. */
  #drop(key: string): void {
    const unit = this.#units.get(key);
    unit?.setting.forgetSource(unit.main.place, unit.main.program);
    this.#delete(key);
  }

  #delete(key: string): void {
    this.#weight -= this.#units.get(key)?.watch.weight ?? 0;
    this.#units.delete(key);
  }
}

/** Whether both looked the same things up and did the same. */
export function sameChildren<R extends SourceRecord>(
  one: readonly Child<R>[],
  other: readonly Child<R>[],
): boolean {
  return (
    one.length === other.length &&
    one.every(({ resolution, memo }, index) => {
      const child = other[index];
      return child?.resolution === resolution && child.memo === memo;
    })
  );
}
