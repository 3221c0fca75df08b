import {
  assemblerOperands,
  mentionsAssembler,
  pragmaDependencies,
} from "@homcc/compiler/embedded-directives";
import { isBlank, spliceLines } from "@homcc/compiler/source-bytes";
import {
  type Directive,
  directiveKinds,
  type DirectiveKind,
  type DirectiveList,
  guardOf,
  type LexicalDialect,
} from "./directives.ts";
import { PlainLines } from "./plain-lines.ts";
import { replaceTrigraphs } from "./trigraphs.ts";
import {
  endOfCharacter,
  endOfLine,
  endOfQuoted,
  isDelimiter,
  maxDelimiterBytes,
  special,
  startOfWord,
  word,
} from "@homcc/compiler/text-scan";

const newline = 0x0a;
const carriageReturn = 0x0d;
const doubleQuote = 0x22;
const hash = 0x23;
const percent = 0x25;
const singleQuote = 0x27;
const parenthesis = 0x28;
const asterisk = 0x2a;
const slash = 0x2f;
const colon = 0x3a;
const less = 0x3c;
const greater = 0x3e;
const backslash = 0x5c;

/** A name that was cut out of a text is another string each time, of 24 bytes. */
const kinds: ReadonlyMap<DirectiveKind, DirectiveKind> = new Map(directiveKinds.map((kind) => [kind, kind]));
const includes: ReadonlySet<string> = new Set<DirectiveKind>(["include", "include_next", "import", "embed"]);
const macroNames: ReadonlySet<string> = new Set<DirectiveKind>([
  "undef",
  "ifdef",
  "ifndef",
  "elifdef",
  "elifndef",
]);

/**
 * A line without any of these does nothing: what `//` and plain strings hide is in their own line. The words are those of
 * modules.
 */
const marks = [hash, ...["/*", 'R"', "%:", "import", "module"].map((text) => Buffer.from(text))];

/**
 * Goes once over a source and lists its directives; comments, strings and raw strings are skipped. About 1 GB/s on
 * sources, 150 to 300 MB/s on headers full of macros.
 */
export class DirectiveLexer {
  readonly #bytes: Uint8Array;
  readonly #text: Buffer;
  readonly #dialect: LexicalDialect;
  readonly #directives: Directive[] = [];
  readonly #uncertain = new Set<string>();
  readonly #mentionsAssembler: boolean;
  readonly #mentionsPushing: boolean;
  readonly #hasReturns: boolean;
  /** Undefined where each line may matter. */
  readonly #plainLines: PlainLines | undefined;
  #hidden: string | undefined;
  #at = 0;

  constructor(source: Uint8Array, dialect: LexicalDialect) {
    this.#dialect = dialect;
    this.#bytes = spliceLines(dialect.trigraphs ? replaceTrigraphs(source) : source);
    this.#text = Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.byteLength);
    // One look for ".inc" in place of two; each look through all text costs as much as 5 % of lexing.
    this.#mentionsAssembler = this.#has(".inc") && mentionsAssembler(this.#text);
    this.#mentionsPushing = this.#has("_macro") && (this.#has("push_macro") || this.#has("pop_macro"));
    this.#findHiddenPragmas();
    this.#hasReturns = this.#text.includes(carriageReturn);
    // To clang a line's end, to gcc a stray character.
    const hasLoneReturns = this.#hasReturns && /\r(?!\n)/.test(this.#text.toString("latin1"));
    if (hasLoneReturns) this.#hidden = "lone carriage return";
    if (dialect.lineComments && !this.#mentionsAssembler && !this.#mentionsPushing && !hasLoneReturns)
      this.#plainLines = new PlainLines(this.#text, marks);
  }

  /** Reads on for about so many bytes, to the end of a line; false at the end. */
  advance(bytes: number): boolean {
    const end = Math.min(this.#at + bytes, this.#bytes.length);
    while (this.#at < end) this.#line();
    return this.#at < this.#bytes.length;
  }

  /** Complete when `advance` has come to the end. */
  list(): DirectiveList {
    return {
      // A copy, because an array that grew has room for 16 more.
      directives: this.#directives.slice(),
      guard: guardOf(this.#directives),
      counts: this.#countsOutsideOfConditions(),
      uncertain: [...this.#uncertain],
      hidden: this.#hidden,
    };
  }

  #countsOutsideOfConditions(): boolean {
    // Up to seven bytes are found ten times as fast as more.
    if (!this.#has("_COUNT") || !this.#has("__COUNTER__")) return false;
    const conditions = this.#directives.filter(({ kind }) => kind === "if" || kind === "elif");
    const inside = conditions.map(({ operand }) => operand).join("\n");
    return inside.split("__COUNTER__").length < this.#text.toString("latin1").split("__COUNTER__").length;
  }

  #has(text: string): boolean {
    return this.#text.includes(text, 0, "latin1");
  }

  #findHiddenPragmas(): void {
    if (!this.#has("_Pragma")) return;
    const text = this.#text.toString("latin1");
    if (pragmaDependencies(this.#text).length > 0) this.#hidden = "_Pragma dependency";
    if (/_Pragma\s*\(\s*L?"\s*(once|include_alias|(GCC|clang)\s+(module|pch_preprocess))\b/.test(text))
      this.#hidden = "_Pragma that includes";
  }

  /** `push_macro("M")`, `_Pragma("push_macro(\"M\")")`: outside of a directive of its own it is only noticed. */
  #noticePushing(text: string): void {
    for (const match of text.matchAll(/\b(?:push|pop)_macro\b(?:\s*\(\s*\\?"([^"\\]*)\\?")?/g)) {
      const [, macro] = match;
      if (macro === undefined) this.#hidden = "push_macro of a computed name";
      else this.#uncertain.add(macro);
    }
  }

  /** One line from its beginning, with the comments and raw strings that make it longer. */
  #line(): void {
    this.#skipBlanks();
    const first = this.#bytes[this.#at];
    if (first === hash) return this.#directive(1);
    if (first === percent && this.#dialect.digraphs && this.#bytes[this.#at + 1] === colon)
      return this.#directive(2);
    // m, i, e and @: `module`, `import`, `export module`, `export import`, `@import`.
    if (first === 0x6d || first === 0x69 || first === 0x65 || first === 0x40) this.#moduleLine();
    const start = this.#at;
    // Such lines come in blocks; a jump costs as much as a short line.
    if (this.#restOfLine() && first !== newline && this.#plainLines !== undefined)
      this.#at = this.#plainLines.after(this.#at);
    if (this.#mentionsPushing) this.#noticePushing(this.#slice(start, this.#at));
    return undefined;
  }

  /** Whether it was without comments. */
  #restOfLine(): boolean {
    const bytes = this.#bytes;
    const end = bytes.length;
    let isPlain = true;
    for (;;) {
      let at = this.#at;
      while (at < end && special[bytes[at] ?? 0] === 0) at += 1;
      this.#at = at;
      if (at >= end) return isPlain;
      const byte = bytes[at];
      if (byte === slash) {
        if (this.#skipComment()) isPlain = false;
        else this.#at += 1;
      } else if (byte === doubleQuote) this.#string();
      else if (byte === singleQuote) this.#at = endOfCharacter(this.#bytes, this.#at);
      else {
        this.#at = at + 1;
        return isPlain;
      }
    }
  }

  /** False when there is none. The line end after a `//` comment stays. */
  #skipComment(): boolean {
    if (this.#bytes[this.#at] !== slash) return false;
    const next = this.#bytes[this.#at + 1];
    if (next === slash) {
      const end = this.#endOfLine();
      // Strict C90 has no such comment: what it makes of it depends on whether the text is skipped.
      if (!this.#dialect.lineComments && /["']|\/\*/.test(this.#slice(this.#at + 2, end)))
        this.#add("opaque", "a // comment in C90");
      this.#at = end;
      return true;
    }
    if (next !== asterisk) return false;
    const end = this.#text.indexOf("*/", this.#at + 2, "latin1");
    this.#at = end < 0 ? this.#bytes.length : end + 2;
    return true;
  }

  #string(): void {
    const start = this.#at;
    const rawEnd = this.#isRawPrefix(start) ? this.#endOfRawString(start + 1) : undefined;
    if (rawEnd === undefined) this.#at = endOfQuoted(this.#bytes, this.#at, doubleQuote);
    else this.#at = rawEnd;
    if (!this.#mentionsAssembler) return;
    const [operand] = assemblerOperands(this.#text, start, this.#at, rawEnd !== undefined);
    if (operand !== undefined) this.#add("assembler", operand);
  }

  #isRawPrefix(quote: number): boolean {
    if (!this.#dialect.rawStrings || this.#bytes[quote - 1] !== 0x52) return false;
    return /^(R|u8R|uR|UR|LR)$/.test(this.#slice(startOfWord(this.#bytes, quote), quote));
  }

  #endOfRawString(start: number): number | undefined {
    let open = start;
    while (open - start <= maxDelimiterBytes && isDelimiter(this.#bytes[open])) open += 1;
    if (this.#bytes[open] !== parenthesis) return undefined;
    const terminator = `)${this.#slice(start, open)}"`;
    const end = this.#text.indexOf(terminator, open, "latin1");
    return end < 0 ? undefined : end + terminator.length;
  }

  #directive(markerBytes: number): void {
    this.#at += markerBytes;
    this.#skipBlanks();
    const name = this.#word();
    if (name === "define") this.#define();
    else if (name === "if" || name === "elif") this.#add(name, this.#rest(true));
    else if (isMacroDirective(name)) this.#macroDirective(name);
    else if (name === "else" || name === "endif") this.#add(name);
    else if (isInclude(name)) this.#file(name);
    else if (name === "pragma") this.#pragma();
    else if (name === "line" || /^\d+$/.test(name)) this.#lineDirective(name);
    // #error and #warning are prose; others are unknown, and in assembler text comments.
    this.#restOfLine();
  }

  #macroDirective(kind: DirectiveKind): void {
    this.#skipBlanks();
    const macro = this.#word();
    if (macro === "" || this.#bytes[this.#at] === backslash) this.#add("opaque", `#${kind} without a name`);
    this.#add(kind, macro);
  }

  #file(kind: DirectiveKind): void {
    this.#skipBlanks();
    const name = this.#headerName();
    this.#add(kind, name ?? `~${this.#rest()}`);
  }

  /** `"…` or `<…` with its end on the same line. */
  #headerName(): string | undefined {
    const open = this.#bytes[this.#at];
    if (open !== doubleQuote && open !== less) return undefined;
    const close = this.#text.indexOf(open === less ? greater : doubleQuote, this.#at + 1);
    if (close < 0 || close > this.#endOfLine()) return undefined;
    const name = this.#slice(this.#at, close);
    this.#at = close + 1;
    return name;
  }

  #define(): void {
    this.#skipBlanks();
    const macro = this.#word();
    const next = this.#bytes[this.#at];
    if (macro === "" || next === backslash) return this.#add("opaque", "#define without a name");
    const functionLike = next === parenthesis;
    const text = this.#rest();
    if (!functionLike) return this.#add("define", macro, ` ${text.trim()}`);
    const close = text.indexOf(")");
    const parameters = text.slice(1, Math.max(close, 1)).replaceAll(/\s+/g, "");
    if (close < 0 || !/^([A-Za-z_$\x80-\xff][\w$\x80-\xff]*(\.\.\.)?(,|$)|\.\.\.$)*$/.test(parameters))
      return this.#add("opaque", `parameters of ${macro}`);
    return this.#add("define", macro, `(${parameters})${text.slice(close + 1).trim()}`);
  }

  #pragma(): void {
    this.#skipBlanks();
    const start = this.#at;
    const name = this.#word();
    if (name === "once") return this.#add("once");
    if (name === "push_macro" || name === "pop_macro") {
      const macro = /^\s*\(\s*"\s*([A-Za-z_$][\w$]*)\s*"/.exec(this.#rest())?.[1];
      return macro === undefined ? this.#add("opaque", `#pragma ${name}`) : this.#add(name, macro);
    }
    if (name === "include_alias") return this.#add("opaque", "#pragma include_alias");
    if (name === "GCC" || name === "clang") {
      this.#skipBlanks();
      const kind = this.#word();
      if (kind === "module" || kind === "pch_preprocess") return this.#add("opaque", `#pragma ${kind}`);
      if (kind === "dependency") return this.#file("dependency");
    }
    const end = this.#endOfLine();
    if (this.#mentionsPushing) this.#noticePushing(this.#slice(start, end));
    return undefined;
  }

  /** `#line 7 "parser.y"`, or `# 7 "parser.y" 2`. */
  #lineDirective(name: string): void {
    const text = this.#rest();
    const file = /"((?:[^"\\]|\\.)*)"/.exec(text)?.[1];
    if (file === undefined) {
      if (name === "line" && /[A-Za-z_]/.test(text)) this.#add("line", `~${text}`);
      return;
    }
    const unescaped = file.replaceAll(/\\(["\\])/g, "$1");
    if (unescaped !== "" && !/^<.*>$/.test(unescaped)) this.#add("line", `"${unescaped}`);
  }

  #moduleLine(): void {
    const line = this.#slice(this.#at, Math.min(this.#endOfLine(), this.#at + 200));
    if (
      /^(@import\b|(export\s+)?import(\s*[<":]|\s+\w)|(export\s+)?module\s*(;|:|[\w.:]+\s*(;|\[)))/.test(line)
    )
      this.#add("module", line.slice(0, 80));
  }

  /**
   * What is left of a directive's line, comments as blanks; stops at the line's end. Only conditions have header names in them: in a
   * macro's body `__has_include(<a//b.h>` begins a comment.
   */
  #rest(isCondition = false): string {
    const bytes = this.#bytes;
    const start = this.#at;
    let at = start;
    while (at < bytes.length && special[bytes[at] ?? 0] === 0) at += 1;
    const byte = bytes[at];
    if (byte === undefined || byte === newline || byte === carriageReturn) {
      this.#at = at;
      const text = this.#slice(start, at);
      if (this.#mentionsPushing) this.#noticePushing(text);
      return text;
    }
    const text = this.#restWithComments(isCondition);
    if (this.#mentionsPushing) this.#noticePushing(text);
    return text;
  }

  #restWithComments(isCondition: boolean): string {
    const bytes = this.#bytes;
    let text = "";
    let from = this.#at;
    for (;;) {
      let at = this.#at;
      while (at < bytes.length && special[bytes[at] ?? 0] === 0) at += 1;
      this.#at = at;
      const byte = bytes[at];
      if (byte === undefined || byte === newline || byte === carriageReturn)
        return text + this.#slice(from, at);
      if (byte === doubleQuote) this.#string();
      else if (byte === singleQuote) this.#at = endOfCharacter(this.#bytes, this.#at);
      else if (isCondition && this.#isInHeaderName(text + this.#slice(from, at))) this.#at += 1;
      else if (!this.#dialect.lineComments && bytes[at + 1] === slash) {
        this.#add("opaque", "// in a directive of C90");
        this.#at += 2;
      } else if (this.#skipComment()) {
        text += `${this.#slice(from, at)} `;
        from = this.#at;
      } else this.#at += 1;
    }
  }

  /** `__has_include(<a//b.h>`: no comment begins there, if the name ends on the line. */
  #isInHeaderName(before: string): boolean {
    if (!/(?<!\w)__has_(?:include(?:_next)?(?:__)?|embed)\s*\(\s*<[^>]*$/.test(before)) return false;
    const close = this.#text.indexOf(greater, this.#at);
    return close >= 0 && close < this.#endOfLine();
  }

  #add(kind: DirectiveKind, operand = "", definition = ""): void {
    this.#directives.push({ kind: kinds.get(kind) ?? kind, operand, definition });
  }

  #word(): string {
    const start = this.#at;
    let end = start;
    while (word[this.#bytes[end] ?? 0] === 1) end += 1;
    this.#at = end;
    return end === start ? "" : this.#slice(start, end);
  }

  /** Blanks and comments, also those that go over several lines; not the line's end. */
  #skipBlanks(): void {
    for (;;) {
      while (isBlank(this.#bytes[this.#at]) || this.#bytes[this.#at] === 0) this.#at += 1;
      if (!this.#skipComment()) return;
    }
  }

  #endOfLine(): number {
    if (this.#hasReturns) return endOfLine(this.#bytes, this.#at);
    const end = this.#text.indexOf(newline, this.#at);
    return end < 0 ? this.#text.length : end;
  }

  #slice(start: number, end: number): string {
    return this.#text.toString("latin1", start, end);
  }
}

function isInclude(name: string): name is DirectiveKind {
  return includes.has(name);
}

function isMacroDirective(name: string): name is DirectiveKind {
  return macroNames.has(name);
}

/** The directives of a source, at once. */
export function listDirectives(source: Uint8Array, dialect: LexicalDialect): DirectiveList {
  const lexer = new DirectiveLexer(source, dialect);
  while (lexer.advance(Infinity));
  return lexer.list();
}
