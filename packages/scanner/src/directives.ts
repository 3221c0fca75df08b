/** What a preprocessing directive, or a text that acts like one, does to the includes of a file. */
export const directiveKinds = [
  "define",
  "undef",
  "if",
  "ifdef",
  "ifndef",
  "elif",
  "elifdef",
  "elifndef",
  "else",
  "endif",
  "include",
  "include_next",
  "import",
  "embed",
  "once",
  "push_macro",
  "pop_macro",
  "line",
  "dependency",
  /** A line that begins as a module declaration or import does. */
  "module",
  /** A string with `.incbin` or `.include`. */
  "assembler",
  /** Cannot be followed; `operand` says what it is. */
  "opaque",
] as const;

export type DirectiveKind = (typeof directiveKinds)[number];

export interface Directive {
  readonly kind: DirectiveKind;
  /**
   * Bytes as Latin-1 characters. Of a macro's directive its name; of a condition its text; of what names a file `"NAME`
   * or `<NAME` without the closing mark, or `~TEXT` where macros have to say.
   */
  readonly operand: string;
  /** Of `define`: a blank and the body, or the parameters in parentheses and the body. Comments are blanks. */
  readonly definition: string;
}

/** All that a file's contents say to an include scanner; the same for every place and every command. */
export interface DirectiveList {
  readonly directives: readonly Directive[];
  /** The macro without which the file is empty, when an include guard encloses all directives. */
  readonly guard: string | undefined;
  /** `__COUNTER__` stands in it, where a scan cannot see how often it is expanded. */
  readonly counts: boolean;
  /** Macros that a `_Pragma` or the text of a macro may push or pop. */
  readonly uncertain: readonly string[];
  /** Such a thing whose macro is not named beside it, or another `_Pragma` that is not only a compiler's: what it is. */
  readonly hidden: string | undefined;
}

/** What of the language decides where comments, strings and directives begin. */
export interface LexicalDialect {
  readonly trigraphs: boolean;
  readonly digraphs: boolean;
  readonly rawStrings: boolean;
  /** `//` begins a comment. */
  readonly lineComments: boolean;
}

/** The dialect in a word, for keys. */
export function dialectKey(dialect: LexicalDialect): string {
  const { trigraphs, digraphs, rawStrings, lineComments } = dialect;
  return [trigraphs, digraphs, rawStrings, lineComments].map((is) => (is ? "1" : "0")).join("");
}

/** The macro of `#ifndef M` or `#if !defined(M)` around everything. */
export function guardOf(directives: readonly Directive[]): string | undefined {
  const [first] = directives;
  if (first === undefined || directives.at(-1)?.kind !== "endif") return undefined;
  const macro =
    first.kind === "ifndef"
      ? first.operand
      : first.kind === "if"
        ? /^\s*!\s*defined\s*(?:\(\s*([A-Za-z_$][\w$]*)\s*\)|([A-Za-z_$][\w$]*))\s*$/
            .exec(first.operand)
            ?.slice(1)
            .find((name) => name !== undefined)
        : undefined;
  if (macro === undefined) return undefined;
  let depth = 0;
  for (const [index, { kind }] of directives.entries()) {
    if (kind === "if" || kind === "ifdef" || kind === "ifndef") depth += 1;
    else if (kind === "endif") depth -= 1;
    else if (depth === 1 && kind.startsWith("el")) return undefined;
    if (depth === 0 && index < directives.length - 1) return undefined;
  }
  return macro;
}
