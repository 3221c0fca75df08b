/**
 * Configuration files as Python's `ConfigParser()` reads them, since homcc 1.x reads them with it: `=` and `:`, full-line
 * comments with `#` and `;`, continuation lines by deeper indentation, `[DEFAULT]`, `%(key)s`. Where Python raises, the
 * line becomes an error here and the rest of the file is read on.
 */
export interface IniValue {
  /** Before interpolation. */
  readonly raw: string;
  readonly file: string;
  /** 1-based line of the key. */
  readonly line: number;
}

export type IniSection = ReadonlyMap<string, IniValue>;

export interface IniError {
  readonly kind: "missing-section" | "syntax" | "duplicate-section" | "duplicate-key";
  /** 1-based. */
  readonly line: number;
  readonly message: string;
}

export interface IniFile {
  readonly sections: ReadonlyMap<string, IniSection>;
  /** The keys of `[DEFAULT]`: they belong to every section. */
  readonly defaults: IniSection;
  /** Empty exactly when Python reads the file without raising. */
  readonly errors: readonly IniError[];
}

const defaultSection = "DEFAULT";

/** Python's `str.isspace`, which is not JavaScript's `\s`. */
const blanks =
  "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000";
const sectionLine = /^\[([^\n]+)\]/;

/** Parses the text of `file`. */
export function parseIni(text: string, file: string): IniFile {
  const reader = new IniReader(file);
  // Python opens files with universal line ends; a last line end starts no further line.
  const lines = text.replaceAll(/\r\n?/g, "\n").split("\n");
  if (lines.at(-1) === "") lines.pop();
  lines.forEach((line, index) => reader.readLine(line, index + 1));
  return reader.finish();
}

interface OpenValue {
  readonly line: number;
  readonly parts: string[];
}
type OpenSection = Map<string, OpenValue>;

class IniReader {
  readonly #file: string;
  readonly #sections = new Map<string, OpenSection>();
  readonly #defaults: OpenSection = new Map();
  readonly #errors: IniError[] = [];
  #section: OpenSection | undefined;
  /** Takes continuation lines. */
  #value: OpenValue | undefined;
  #indentation = 0;

  constructor(file: string) {
    this.#file = file;
  }

  readLine(line: string, lineNumber: number): void {
    const content = strip(line);
    if (content.startsWith("#") || content.startsWith(";")) return;
    if (content === "") {
      this.#value?.parts.push("");
      return;
    }
    const indentation = countLeadingBlanks(line);
    if (this.#value !== undefined && indentation > this.#indentation) {
      this.#value.parts.push(content);
      return;
    }
    this.#indentation = indentation;
    const header = sectionLine.exec(content)?.[1];
    if (header === undefined) this.#readKey(content, lineNumber);
    else this.#openSection(header, lineNumber);
  }

  finish(): IniFile {
    const sections = new Map([...this.#sections].map(([name, section]) => [name, this.#close(section)]));
    return { sections, defaults: this.#close(this.#defaults), errors: this.#errors };
  }

  #openSection(header: string, line: number): void {
    this.#value = undefined;
    if (header === defaultSection) {
      this.#section = this.#defaults;
      return;
    }
    const section = this.#sections.get(header);
    if (section !== undefined) this.#fail("duplicate-section", line, `section [${header}] appears twice`);
    this.#section = section ?? new Map<string, OpenValue>();
    this.#sections.set(header, this.#section);
  }

  #readKey(content: string, line: number): void {
    if (this.#section === undefined) {
      this.#fail("missing-section", line, "a line before the first [section]");
      return;
    }
    const delimiter = content.search(/[=:]/);
    const key = strip(content.slice(0, Math.max(delimiter, 0))).toLowerCase();
    // A value that is stored nowhere takes the continuation lines of a bad line.
    this.#value = { line, parts: [strip(content.slice(delimiter + 1))] };
    if (delimiter < 0) this.#fail("syntax", line, `'${content}' has no '=' or ':'`);
    else if (key === "") this.#fail("syntax", line, "the key is missing");
    else if (this.#section.has(key)) this.#fail("duplicate-key", line, `'${key}' appears twice`);
    else this.#section.set(key, this.#value);
  }

  #fail(kind: IniError["kind"], line: number, message: string): void {
    this.#errors.push({ kind, line, message });
  }

  #close(section: OpenSection): IniSection {
    return new Map(
      [...section].map(([key, { line, parts }]) => [
        key,
        { raw: stripEnd(parts.join("\n")), file: this.#file, line },
      ]),
    );
  }
}

/** Loops, because `/\s+$/` takes quadratic time for a long run of blanks inside a line. */
function strip(text: string): string {
  return stripEnd(text.slice(countLeadingBlanks(text)));
}

function stripEnd(text: string): string {
  let end = text.length;
  while (end > 0 && blanks.includes(text.charAt(end - 1))) end--;
  return text.slice(0, end);
}

function countLeadingBlanks(text: string): number {
  let count = 0;
  while (count < text.length && blanks.includes(text.charAt(count))) count++;
  return count;
}
