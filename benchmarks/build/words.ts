/** Numbers and names that are the same on each machine: a generated project has to be the same text everywhere. */
export class Words {
  #state: number;

  constructor(seed: string) {
    this.#state = 2166136261;
    for (const character of seed) this.#state = Math.imul(this.#state ^ character.charCodeAt(0), 16777619);
  }

  /** From 0 to below `limit`. */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  }

  oneOf<T>(all: readonly T[]): T {
    const one = all[this.below(all.length)];
    if (one === undefined) throw new Error("nothing to choose from");
    return one;
  }

  /** Up to `count` different ones, in their order. */
  someOf<T>(all: readonly T[], count: number): T[] {
    const chosen = new Set<T>();
    for (let attempt = 0; attempt < count; attempt += 1) if (all.length > 0) chosen.add(this.oneOf(all));
    return all.filter((one) => chosen.has(one));
  }

  /** Two or three syllables. */
  word(): string {
    const count = 2 + this.below(2);
    return Array.from({ length: count }, () => this.oneOf(onsets) + this.oneOf(rimes)).join("");
  }

  /** Lines of a comment, as long as those of people. */
  comment(lines: number, indent = ""): string {
    const line = (): string => Array.from({ length: 6 + this.below(8) }, () => this.word()).join(" ");
    return Array.from({ length: lines }, () => `${indent}// ${line()}\n`).join("");
  }
}

const onsets = [
  "b",
  "br",
  "c",
  "d",
  "f",
  "g",
  "gl",
  "h",
  "k",
  "l",
  "m",
  "n",
  "p",
  "pr",
  "r",
  "s",
  "st",
  "t",
  "v",
];
const rimes = ["a", "al", "an", "ar", "e", "el", "en", "er", "i", "in", "is", "o", "on", "or", "u", "un"];

export function capitalised(word: string): string {
  return word.slice(0, 1).toUpperCase() + word.slice(1);
}
