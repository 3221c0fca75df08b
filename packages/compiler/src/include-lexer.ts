import { assemblerOperands, mentionsAssembler, pragmaDependencies } from "./embedded-directives.ts";
import type { IncludeName, IncludeNames, MacroFocus, NameForm, NameKind } from "./include-names.ts";
import { isBlank, spliceLines } from "./source-bytes.ts";
import {
  endOfCharacter,
  endOfLine,
  endOfQuoted,
  isDelimiter,
  maxDelimiterBytes,
  special,
  startOfWord,
  word,
} from "./text-scan.ts";

const newline = 0x0a;
const carriageReturn = 0x0d;
const doubleQuote = 0x22;
const hash = 0x23;
const percent = 0x25;
const singleQuote = 0x27;
const parenthesis = 0x28;
const closingParenthesis = 0x29;
const asterisk = 0x2a;
const slash = 0x2f;
const colon = 0x3a;
const less = 0x3c;
const greater = 0x3e;
const question = 0x3f;
const equals = 0x3d;

const includeKinds: Readonly<Record<string, NameKind>> = {
  include: "include",
  include_next: "include_next",
  import: "import",
  embed: "embed",
};
const questionKinds: Readonly<Record<string, NameKind>> = {
  __has_include: "has_include",
  __has_include__: "has_include",
  __has_include_next: "has_include_next",
  __has_include_next__: "has_include_next",
  __has_embed: "has_embed",
};

/** A macro while its body is read. */
interface Definition {
  readonly macro: string;
  readonly parameters: readonly string[];
}

/**
 * Goes once over a source: comments, strings and raw strings are skipped, directives read. Directives in skipped
 * branches count too.
 */
export class IncludeLexer {
  readonly #bytes: Uint8Array;
  readonly #text: Buffer;
  readonly #names: IncludeName[] = [];
  readonly #firstIncludes: IncludeName[] = [];
  readonly #computed: { macro: string; kind: NameKind }[] = [];
  readonly #asking = new Map<string, NameKind>();
  readonly #askedAnywhere: IncludeName[] = [];
  readonly #opaque = new Set<string>();
  readonly #focus: MacroFocus;
  readonly #defined: { macro: string; form: NameForm; name: string }[] = [];
  readonly #known = new Set<string>();
  readonly #assemblerFiles = new Set<string>();
  readonly #mentionsAssembler: boolean;
  #at = 0;
  #depth = 0;
  #sawFirstInclude = false;
  #modules = false;
  #pragmaOnce = false;
  #precompiled = false;
  #invalidNames = false;

  constructor(source: Uint8Array, focus: MacroFocus) {
    this.#focus = focus;
    this.#bytes = spliceLines(source);
    this.#text = Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.byteLength);
    this.#mentionsAssembler = mentionsAssembler(this.#text);
  }

  /** Reads on for about so many bytes, to the end of a line; false at the end. */
  advance(bytes: number): boolean {
    const end = Math.min(this.#at + bytes, this.#bytes.length);
    while (this.#at < end) this.#line();
    return this.#at < this.#bytes.length;
  }

  /** Complete when `advance` has come to the end. */
  names(): IncludeNames {
    const has = (text: string): boolean => this.#text.includes(text, 0, "latin1");
    for (const { form, name } of pragmaDependencies(this.#text)) this.#add("dependency", form, name);
    return {
      names: this.#names,
      firstIncludes: this.#firstIncludes,
      computed: this.#computed,
      defined: this.#defined,
      asking: [...this.#asking].map(([macro, kind]) => ({ macro, kind })),
      askedAnywhere: this.#askedAnywhere,
      opaque: [...this.#opaque],
      assemblerFiles: [...this.#assemblerFiles].filter((file) => file !== ""),
      assemblerUnknown: this.#assemblerFiles.has(""),
      modules: this.#modules,
      pragmaOnce: this.#pragmaOnce,
      precompiled: this.#precompiled,
      time: has("__DATE__") || has("__TIME__") || has("__TIMESTAMP__"),
      invalidNames: this.#invalidNames,
    };
  }

  /** One line from its beginning, with the comments and raw strings that make it longer. */
  #line(): void {
    this.#skipBlanks();
    const first = this.#bytes[this.#at];
    if (first === hash) return this.#directive(1);
    if (first === percent && this.#bytes[this.#at + 1] === colon) return this.#directive(2);
    if (first === question && this.#isTrigraphHash()) return this.#directive(3);
    // m, i, e and @: `module`, `import`, `export module`, `export import`, `@import`.
    if (first === 0x6d || first === 0x69 || first === 0x65 || first === 0x40) this.#moduleLine();
    this.#restOfLine();
  }

  #restOfLine(): void {
    const bytes = this.#bytes;
    const end = bytes.length;
    for (;;) {
      let at = this.#at;
      while (at < end && special[bytes[at] ?? 0] === 0) at += 1;
      this.#at = at;
      if (at >= end) return;
      const byte = bytes[at];
      if (byte === slash) this.#slash();
      else if (byte === doubleQuote) this.#string();
      else if (byte === singleQuote) this.#at = endOfCharacter(this.#bytes, this.#at);
      else {
        this.#at = at + 1;
        return;
      }
    }
  }

  #slash(): void {
    if (!this.#skipComment()) this.#at += 1;
  }

  /** False when there is none. The line end after a `//` comment stays. */
  #skipComment(): boolean {
    if (this.#bytes[this.#at] !== slash) return false;
    const next = this.#bytes[this.#at + 1];
    if (next === slash) {
      this.#at = endOfLine(this.#bytes, this.#at);
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
    for (const operand of assemblerOperands(this.#text, start, this.#at, rawEnd !== undefined)) {
      this.#assemblerFiles.add(Buffer.from(operand, "latin1").toString("utf8"));
    }
  }

  #isRawPrefix(quote: number): boolean {
    if (this.#bytes[quote - 1] !== 0x52) return false;
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
    const kind = Object.hasOwn(includeKinds, name) ? includeKinds[name] : undefined;
    if (kind !== undefined) this.#include(kind);
    else if (name === "define") this.#define();
    else if (name === "if" || name === "elif") this.#questions();
    else if (name === "pragma") this.#pragma();
    else if (name === "line" || /^\d+$/.test(name)) this.#lineDirective(name);
    if (name.startsWith("if")) this.#depth += 1;
    else if (name === "endif") this.#depth = Math.max(0, this.#depth - 1);
    this.#restOfLine();
  }

  #include(kind: NameKind): void {
    this.#skipBlanks();
    const operand = this.#headerName();
    if (operand === undefined) return this.#addComputed(this.#word(), kind);
    const name = this.#add(kind, operand.form, operand.name);
    if (this.#sawFirstInclude) return;
    this.#firstIncludes.push(name);
    this.#sawFirstInclude = this.#depth === 0;
  }

  /** `"…"` or `<…>` with its end on the same line. */
  #headerName(): { form: NameForm; name: string } | undefined {
    const open = this.#bytes[this.#at];
    if (open !== doubleQuote && open !== less) return undefined;
    const close = this.#text.indexOf(open === less ? greater : doubleQuote, this.#at + 1);
    if (close < 0 || close > endOfLine(this.#bytes, this.#at)) return undefined;
    const name = this.#slice(this.#at + 1, close);
    this.#at = close + 1;
    return { form: open === less ? "angle" : "quote", name };
  }

  /** The body may be a header name, or ask for one. */
  #define(): void {
    this.#skipBlanks();
    const macro = this.#word();
    const parameters = this.#bytes[this.#at] === parenthesis ? this.#parameters() : [];
    this.#skipBlanks();
    if (!this.#defineName(macro) && this.#focus.operands.has(macro)) this.#opaque.add(macro);
    this.#questions({ macro, parameters });
  }

  /** True when the whole body is a header name; the body stays to be read. */
  #defineName(macro: string): boolean {
    const start = this.#at;
    const header = this.#headerName();
    this.#skipBlanks();
    const isName = header !== undefined && header.name !== "" && this.#atEndOfLine();
    if (isName) this.#defined.push({ macro, ...header });
    this.#at = start;
    return isName;
  }

  #parameters(): string[] {
    const end = endOfLine(this.#bytes, this.#at);
    const close = this.#text.indexOf(closingParenthesis, this.#at);
    if (close < 0 || close > end) return [];
    const names = this.#slice(this.#at + 1, close).split(",");
    this.#at = close + 1;
    return names.map((name) => name.trim());
  }

  /**
   * The rest of an `#if` line or of a macro's body: operands of `__has_include` and its family, and of macros that are
   * known to ask.
   */
  #questions(within?: Definition): void {
    for (;;) {
      this.#skipBlanks();
      if (this.#atEndOfLine()) return;
      const byte = this.#bytes[this.#at] ?? 0;
      if (word[byte] === 1) this.#question(this.#word(), within);
      else if (byte === doubleQuote) this.#string();
      else if (byte === singleQuote) this.#at = endOfCharacter(this.#bytes, this.#at);
      else this.#at += 1;
    }
  }

  #question(name: string, within: Definition | undefined): void {
    const kind = Object.hasOwn(questionKinds, name) ? questionKinds[name] : this.#focus.asking.get(name);
    if (kind === undefined) return;
    this.#skipBlanks();
    if (this.#bytes[this.#at] !== parenthesis) {
      // Another name for it, or only a test whether it is defined.
      if (within !== undefined) this.#asking.set(within.macro, kind);
      return;
    }
    this.#at += 1;
    this.#skipBlanks();
    const operand = this.#headerName();
    if (operand === undefined) this.#askFor(this.#word(), kind, within);
    else if (within !== undefined && mentions(operand.name, within.parameters))
      this.#asking.set(within.macro, kind);
    else if (within !== undefined && operand.form === "quote") this.#askedAnywhere.push({ kind, ...operand });
    else this.#add(kind, operand.form, operand.name);
  }

  #askFor(operand: string, kind: NameKind, within: Definition | undefined): void {
    if (within?.parameters.includes(operand) === true) this.#asking.set(within.macro, kind);
    else this.#addComputed(operand, kind);
  }

  #pragma(): void {
    this.#skipBlanks();
    const name = this.#word();
    if (name === "once") this.#pragmaOnce = true;
    if (name !== "GCC" && name !== "clang") return;
    this.#skipBlanks();
    const kind = this.#word();
    if (kind === "module") this.#modules = true;
    if (kind === "pch_preprocess") this.#precompiled = true;
    if (kind !== "dependency") return;
    this.#skipBlanks();
    const operand = this.#headerName();
    if (operand !== undefined) this.#add("dependency", operand.form, operand.name);
  }

  /** `#line 7 "parser.y"`, or `# 7 "parser.y" 2` in preprocessed text. */
  #lineDirective(name: string): void {
    this.#skipBlanks();
    if (name === "line") {
      this.#word();
      this.#skipBlanks();
    }
    const first = this.#bytes[this.#at] ?? 0;
    if (word[first] === 1) this.#addComputed(this.#word(), "line");
    if (first !== doubleQuote) return;
    const start = this.#at + 1;
    this.#at = endOfQuoted(this.#bytes, this.#at, doubleQuote);
    const file = this.#slice(start, this.#at - 1).replaceAll(/\\(["\\])/g, "$1");
    if (file !== "" && !/^<.*>$/.test(file)) this.#add("line", "quote", file);
  }

  #moduleLine(): void {
    const line = this.#slice(this.#at, Math.min(endOfLine(this.#bytes, this.#at), this.#at + 200));
    this.#modules ||=
      /^(@import\b|(export\s+)?import(\s*[<":]|\s+\w)|(export\s+)?module\s*(;|:|[\w.:]+\s*(;|\[)))/.test(
        line,
      );
  }

  #add(kind: NameKind, form: NameForm, name: string): IncludeName {
    const added = { kind, form, name };
    const key = `${kind} ${form} ${name}`;
    if (name === "" || this.#known.has(key)) return added;
    this.#known.add(key);
    this.#names.push(added);
    return added;
  }

  #addComputed(macro: string, kind: NameKind): void {
    const key = `${kind} ${macro}`;
    if (this.#known.has(key)) return;
    this.#known.add(key);
    this.#computed.push({ macro, kind });
  }

  #word(): string {
    const start = this.#at;
    let end = start;
    while (word[this.#bytes[end] ?? 0] === 1) end += 1;
    this.#at = end;
    return end === start ? "" : this.#text.toString("latin1", start, end);
  }

  /** Blanks and comments, also those that go over several lines; not the line's end. */
  #skipBlanks(): void {
    for (;;) {
      // Compilers warn of a zero byte, and take it for a blank.
      while (isBlank(this.#bytes[this.#at]) || this.#bytes[this.#at] === 0) this.#at += 1;
      if (!this.#skipComment()) return;
    }
  }

  #atEndOfLine(): boolean {
    const byte = this.#bytes[this.#at];
    return byte === undefined || byte === newline || byte === carriageReturn;
  }

  #isTrigraphHash(): boolean {
    return this.#bytes[this.#at + 1] === question && this.#bytes[this.#at + 2] === equals;
  }

  #slice(start: number, end: number): string {
    const text = this.#text.toString("utf8", start, end);
    if (text.includes("\uFFFD")) this.#invalidNames = true;
    return text;
  }
}

/** `<n.h>` in the body of a macro with the parameter n. */
function mentions(name: string, words: readonly string[]): boolean {
  return (name.match(/\w+/g) ?? []).some((text) => words.includes(text));
}
