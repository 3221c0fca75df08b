import { CannotScan } from "./cannot-scan.ts";
import { type Token, tokenize } from "./tokens.ts";

/** A macro's parameters and body. Equal definitions are one object, so that states can be compared by number. */
export interface Definition {
  readonly id: number;
  /** `undefined` for an object-like macro. */
  readonly parameters: readonly string[] | undefined;
  /** The last parameter takes all remaining arguments. */
  readonly variadic: boolean;
  /** Tokens of the body; made when the macro is first expanded, which happens to one in a hundred. */
  readonly body: readonly Token[];
}

/** Values of symbols that are no definition. */
export const undefinedValue = 0;
/** A name that the compiler itself gives a meaning: `__has_include`, `__LINE__`. */
export const builtinValue = 1;
const firstDefinition = 2;
/** A name or a definition, and the values of a name. */
const entryBytes = 170;
/** Of one condition. */
const tokensBytes = 500;
/** Most conditions are evaluated once and replayed from then on. */
const maxTokenized = 10_000;

/** Numbers for names, and numbers for definitions. */
export class MacroTable {
  readonly #symbols = new Map<string, number>();
  readonly #names: string[] = [];
  readonly #definitions = new Map<string, number>();
  readonly #byId: Definition[] = [];
  readonly #tokens = new Map<string, readonly Token[]>();

  get size(): number {
    return this.#names.length + this.#byId.length;
  }

  get bytes(): number {
    return this.size * entryBytes + this.#tokens.size * tokensBytes;
  }

  get symbolCount(): number {
    return this.#names.length;
  }

  symbol(name: string): number {
    const known = this.#symbols.get(name);
    if (known !== undefined) return known;
    const symbol = this.#names.length;
    this.#symbols.set(name, symbol);
    this.#names.push(name);
    return symbol;
  }

  name(symbol: number): string {
    return this.#names[symbol] ?? "";
  }

  /** Of `Directive.definition`. */
  definition(text: string): number {
    const known = this.#definitions.get(text);
    if (known !== undefined) return known;
    const id = this.#byId.length + firstDefinition;
    this.#definitions.set(text, id);
    this.#byId.push(new ParsedDefinition(id, text));
    return id;
  }

  /** Of a condition, or of a computed operand behind `~`; the same for whoever has this text. */
  tokens(text: string): readonly Token[] {
    const known = this.#tokens.get(text);
    if (known !== undefined) return known;
    const tokens = text.startsWith("~") ? tokenize(text.slice(1)) : tokenize(text, true);
    if (this.#tokens.size >= maxTokenized) this.#tokens.clear();
    this.#tokens.set(text, tokens);
    return tokens;
  }

  byId(id: number): Definition {
    const definition = this.#byId[id - firstDefinition];
    if (definition === undefined)
      throw new CannotScan("condition", "a macro of the compiler's own is expanded");
    return definition;
  }
}

class ParsedDefinition implements Definition {
  readonly id: number;
  readonly parameters: readonly string[] | undefined;
  readonly variadic: boolean = false;
  readonly #text: string;
  #body: readonly Token[] | undefined;

  constructor(id: number, text: string) {
    this.id = id;
    if (!text.startsWith("(")) {
      this.#text = text;
      return;
    }
    const close = text.indexOf(")");
    this.#text = text.slice(close + 1);
    const words = text.slice(1, close).split(",");
    const last = words.at(-1) ?? "";
    if (last.endsWith("...")) {
      this.variadic = true;
      words[words.length - 1] = last === "..." ? "__VA_ARGS__" : last.slice(0, -3);
    }
    this.parameters = words.length === 1 && words[0] === "" ? [] : words;
  }

  get body(): readonly Token[] {
    if (this.#body !== undefined) return this.#body;
    const [first, ...rest] = tokenize(this.#text);
    this.#body = first === undefined ? [] : [{ ...first, space: false }, ...rest];
    return this.#body;
  }
}
