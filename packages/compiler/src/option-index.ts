import type { CompilerFamily } from "./compilation.ts";
import type { OptionRow, Reader, Spelling } from "./option-row.ts";
import { optionTable } from "./option-table.ts";

/** How a word matched: where its operand is. */
export type OptionMatch =
  | { readonly row: OptionRow; readonly operand: "none" }
  | { readonly row: OptionRow; readonly operand: "next-word" }
  | { readonly row: OptionRow; readonly operand: "in-word"; readonly offset: number };

/** Rows of one family and reader by what a word must be or begin with. */
interface OptionIndex {
  readonly whole: ReadonlyMap<string, OptionMatch>;
  readonly beginning: ReadonlyMap<string, OptionMatch>;
  /** Lengths of the keys of `beginning`, longest first, by the two characters they begin with. */
  readonly lengths: ReadonlyMap<string, readonly number[]>;
}

const indexes = new Map<string, OptionIndex>();

/** The row with the longest name that fits the word; `undefined` when the table does not know it. */
export function findOption(word: string, family: CompilerFamily, reader: Reader): OptionMatch | undefined {
  const index = indexOf(family, reader);
  const whole = index.whole.get(word);
  if (whole !== undefined) return whole;
  for (const length of index.lengths.get(word.slice(0, 2)) ?? []) {
    const match = length <= word.length ? index.beginning.get(word.slice(0, length)) : undefined;
    if (match !== undefined) return match;
  }
  return undefined;
}

function indexOf(family: CompilerFamily, reader: Reader): OptionIndex {
  const key = `${family} ${reader}`;
  const known = indexes.get(key);
  if (known !== undefined) return known;
  const built = buildIndex(
    optionTable.filter((row) => row.families.includes(family) && row.readers.includes(reader)),
  );
  indexes.set(key, built);
  return built;
}

function buildIndex(rows: readonly OptionRow[]): OptionIndex {
  const whole = new Map<string, OptionMatch>();
  const beginning = new Map<string, OptionMatch>();
  for (const row of rows) {
    for (const { key, match } of keys[row.spelling](row)) {
      const map = match.operand === "in-word" || row.spelling === "joined-and-separate" ? beginning : whole;
      if (map.has(key)) throw new Error(`the option table has ${key} twice for one reader`);
      map.set(key, match);
    }
  }
  const lengths = new Map<string, number[]>();
  for (const key of beginning.keys()) {
    const known = lengths.get(key.slice(0, 2)) ?? [];
    if (!known.includes(key.length)) known.push(key.length);
    lengths.set(key.slice(0, 2), known);
  }
  for (const list of lengths.values()) list.sort((left, right) => right - left);
  return { whole, beginning, lengths };
}

interface OptionKey {
  readonly key: string;
  readonly match: OptionMatch;
}

const alone = (row: OptionRow, operand: "none" | "next-word"): OptionKey => ({
  key: row.name,
  match: { row, operand },
});
const before = (row: OptionRow, key: string): OptionKey => ({
  key,
  match: { row, operand: "in-word", offset: key.length },
});

const keys: Readonly<Record<Spelling, (row: OptionRow) => readonly OptionKey[]>> = {
  flag: (row) => [alone(row, "none")],
  joined: (row) => [before(row, row.name)],
  comma: (row) => [before(row, row.name)],
  separate: (row) => [alone(row, "next-word")],
  "joined-and-separate": (row) => [alone(row, "next-word")],
  both: (row) => [alone(row, "next-word"), before(row, row.name)],
  equals: (row) => [before(row, `${row.name}=`)],
  optional: (row) => [alone(row, "none"), before(row, `${row.name}=`)],
  either: (row) => [alone(row, "next-word"), before(row, `${row.name}=`)],
};
