/** One rule of a dependency file. Phony rules (`-MP`) have no prerequisites. */
export interface DependencyRule {
  readonly targets: readonly string[];
  readonly prerequisites: readonly string[];
}

/**
 * Parses what gcc and clang write for make (`-M`, `-MD` and their family), with their quoting:
 *
 *     blank       a backslash before it, and every backslash right before that one doubled
 *     #           a backslash before it; backslashes before that one stay as they are
 *     $           doubled
 *     line end    a backslash before it continues the rule
 *
 * Everything else, colons and other backslashes included, stands for itself. Two things make cannot say and neither
 * can this: a name that ends in a backslash, and clang's names with tabs, which it does not quote.
 */
export function parseDependencyFile(text: string): DependencyRule[] {
  const rules: DependencyRule[] = [];
  const scanner = new WordScanner(text);
  let targets: string[] | undefined;
  let words: string[] = [];
  for (let token = scanner.next(); token.kind !== "end"; token = scanner.next()) {
    if (token.kind === "word") words.push(token.word);
    if (token.kind === "colon" && targets === undefined) {
      targets = [...words, ...(token.word === "" ? [] : [token.word])];
      words = [];
    } else if (token.kind === "colon") words.push(`${token.word}:`);
    if (token.kind !== "line end") continue;
    if (targets !== undefined) rules.push({ targets, prerequisites: words });
    targets = undefined;
    words = [];
  }
  return rules;
}

/** Every file that a rule depends on, without duplicates, in order. */
export function prerequisitesOf(text: string): string[] {
  return [...new Set(parseDependencyFile(text).flatMap(({ prerequisites }) => prerequisites))];
}

type Token =
  | { readonly kind: "word"; readonly word: string }
  /** A word with a colon that ends it. */
  | { readonly kind: "colon"; readonly word: string }
  | { readonly kind: "line end" }
  | { readonly kind: "end" };

class WordScanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    // A last line without its end is one all the same.
    this.#text = text.endsWith("\n") ? text : `${text}\n`;
  }

  next(): Token {
    const gap = /(?:[ \t]|\\\r?\n)*/y;
    gap.lastIndex = this.#at;
    gap.exec(this.#text);
    this.#at = gap.lastIndex;
    if (this.#at >= this.#text.length) return { kind: "end" };
    const lineEnd = this.#lineEnd();
    if (lineEnd === 0) return this.#word();
    this.#at += lineEnd;
    return { kind: "line end" };
  }

  /** Length of a line end here; 0 when there is none. */
  #lineEnd(): number {
    if (this.#text.startsWith("\n", this.#at)) return 1;
    return this.#text.startsWith("\r\n", this.#at) ? 2 : 0;
  }

  #word(): Token {
    const part = /(\\*)([ \t#]|\r?\n)|\$\$|[^\\ \t\r\n$#]+|[^]/y;
    let word = "";
    for (;;) {
      part.lastIndex = this.#at;
      const match = part.exec(this.#text);
      if (match === null) break;
      const [all, backslashes = "", special] = match;
      const ended = special !== undefined && endsWord(backslashes, special);
      if (ended) {
        // The backslash before a line end belongs to the gap.
        const kept = special.endsWith("\n")
          ? backslashes.slice(1)
          : backslashes.slice(backslashes.length / 2);
        word += kept;
        this.#at += special.endsWith("\n") ? kept.length : backslashes.length;
        break;
      }
      word += special === undefined ? (all === "$$" ? "$" : all) : unquote(backslashes, special);
      this.#at += all.length;
    }
    return word.endsWith(":") ? { kind: "colon", word: word.slice(0, -1) } : { kind: "word", word };
  }
}

function endsWord(backslashes: string, special: string): boolean {
  if (special === "#") return false;
  return special.endsWith("\n") || backslashes.length % 2 === 0;
}

function unquote(backslashes: string, special: string): string {
  const kept = special === "#" ? Math.max(0, backslashes.length - 1) : (backslashes.length - 1) / 2;
  return `${"\\".repeat(kept)}${special}`;
}
