import { CannotScan } from "./cannot-scan.ts";
import { builtinValue, type Definition, type MacroTable, undefinedValue } from "./macro-table.ts";
import type { MacroState } from "./macro-state.ts";
import { type Token, tokenize } from "./tokens.ts";

/** Boost.Preprocessor stays below 20,000; libraries that go beyond take the compiler seconds too. */
const maxSteps = 500_000;
const maxDepth = 500;
/** Boost.Preprocessor nests 60 calls. */
const maxArgumentDepth = 200;

interface Source {
  readonly tokens: readonly Token[];
  at: number;
  /** The macro whose expansion this is: not expanded again until it is read to its end. */
  readonly macro: string | undefined;
}

/** Names the compiler knows only while it reads: where in a file, which file, when. */
const dynamic = new Set([
  "__LINE__",
  "__FILE__",
  "__FILE_NAME__",
  "__BASE_FILE__",
  "__INCLUDE_LEVEL__",
  "__DATE__",
  "__TIME__",
  "__TIMESTAMP__",
]);
/** Known once a counter is used outside of conditions. */
export const unknownCounter = -1;

/**
 * The tokens of a directive with macros expanded, one at a time, as `#if` needs them: operands of `defined` are taken
 * unexpanded. What the compiler answers itself (`__has_include`, …) is passed through as a name.
 */
export class Expansion {
  readonly #table: MacroTable;
  readonly #state: MacroState;
  readonly #sources: Source[];
  readonly #disabled = new Set<string>();
  readonly #steps: { count: number };
  readonly #depth: number;
  #backup: Token | undefined;

  constructor(
    tokens: readonly Token[],
    table: MacroTable,
    state: MacroState,
    within?: {
      readonly disabled: ReadonlySet<string>;
      readonly steps: { count: number };
      readonly depth: number;
    },
  ) {
    this.#table = table;
    this.#state = state;
    this.#sources = [{ tokens, at: 0, macro: undefined }];
    this.#steps = within?.steps ?? { count: 0 };
    this.#depth = within?.depth ?? 0;
    if (this.#depth > maxArgumentDepth) throw new CannotScan("limit", "arguments within arguments");
    for (const macro of within?.disabled ?? []) this.#disabled.add(macro);
  }

  /** The next token of the result. */
  next(): Token | undefined {
    for (;;) {
      const token = this.#raw();
      if (token === undefined) return undefined;
      if (token.kind !== "identifier" || token.painted === true) return token;
      const value = this.#valueOf(token.text);
      if (value === undefinedValue) return token;
      if (value === builtinValue) return this.#builtin(token);
      if (!this.#expand(token, this.#table.byId(value))) return token;
    }
  }

  /** The next token as it stands. */
  nextUnexpanded(): Token | undefined {
    return this.#raw();
  }

  rest(): Token[] {
    const tokens: Token[] = [];
    for (let token = this.next(); token !== undefined; token = this.next()) tokens.push(token);
    return tokens;
  }

  #valueOf(name: string): number {
    return this.#state.read(this.#table.symbol(name));
  }

  #raw(): Token | undefined {
    this.#steps.count += 1;
    if (this.#steps.count > maxSteps) throw new CannotScan("limit", "macro expansion");
    if (this.#backup !== undefined) {
      const token = this.#backup;
      this.#backup = undefined;
      return token;
    }
    for (;;) {
      const source = this.#sources.at(-1);
      if (source === undefined) return undefined;
      const token = source.tokens[source.at];
      if (token !== undefined) {
        source.at += 1;
        const isOwn = token.kind === "identifier" && this.#disabled.has(token.text);
        return isOwn ? { ...token, painted: true } : token;
      }
      if (this.#sources.length === 1) return undefined;
      this.#sources.pop();
      if (source.macro !== undefined) this.#disabled.delete(source.macro);
    }
  }

  #builtin(token: Token): Token {
    if (token.text === "__COUNTER__") return this.#count(token);
    if (dynamic.has(token.text)) throw new CannotScan("condition", `${token.text} in a directive`);
    return token;
  }

  #count(token: Token): Token {
    const symbol = this.#table.symbol("counter:");
    const value = this.#state.read(symbol);
    if (value === unknownCounter) throw new CannotScan("condition", "__COUNTER__ in a directive");
    this.#state.write(symbol, value + 1);
    return { kind: "number", text: String(value), space: token.space };
  }

  /** False when a function-like macro is not called: its name stays. */
  #expand(name: Token, definition: Definition): boolean {
    const { parameters } = definition;
    let replaced: Token[];
    if (parameters === undefined) replaced = this.#substitute(definition, [], name);
    else {
      const open = this.#raw();
      if (open?.text !== "(" || open.kind !== "punctuator") {
        if (open !== undefined) this.#backup = open;
        return false;
      }
      replaced = this.#substitute(definition, this.#collect(definition, name.text), name);
    }
    if (this.#sources.length > maxDepth) throw new CannotScan("limit", "depth of macro expansion");
    this.#disabled.add(name.text);
    this.#sources.push({ tokens: replaced, at: 0, macro: name.text });
    return true;
  }

  /** Arguments as written, one for each parameter. */
  #collect({ parameters = [], variadic }: Definition, macro: string): Token[][] {
    const args: Token[][] = [[]];
    let depth = 0;
    for (;;) {
      const token = this.#raw();
      if (token === undefined) throw new CannotScan("condition", `an unfinished call of ${macro}`);
      const isMark = token.kind === "punctuator";
      if (isMark && token.text === ")") {
        if (depth === 0) break;
        depth -= 1;
      } else if (isMark && token.text === "(") depth += 1;
      else if (
        isMark &&
        token.text === "," &&
        depth === 0 &&
        !(variadic && args.length >= parameters.length)
      ) {
        args.push([]);
        continue;
      }
      args.at(-1)?.push(token);
    }
    if (parameters.length === 0 && args.length === 1 && args[0]?.length === 0) return [];
    // All variable arguments may be left out, the comma too.
    if (variadic && args.length === parameters.length - 1) args.push(leftOut);
    if (args.length !== parameters.length) throw new CannotScan("condition", `arguments of ${macro}`);
    return args;
  }

  #substitute(definition: Definition, args: readonly Token[][], name: Token): Token[] {
    const call = new Call(definition, args, (tokens) => this.#expandArgument(tokens));
    const result = call.replace(definition.body);
    const [first] = result;
    if (first !== undefined) result[0] = { ...first, space: name.space };
    return result;
  }

  #expandArgument(tokens: readonly Token[]): Token[] {
    return new Expansion(tokens, this.#table, this.#state, {
      disabled: this.#disabled,
      steps: this.#steps,
      depth: this.#depth + 1,
    }).rest();
  }
}

/** Variable arguments that are not there at all: another thing than empty ones. */
const leftOut: Token[] = [];

/** One replacement of a macro's parameters. */
class Call {
  readonly #parameters: readonly string[];
  readonly #variadic: boolean;
  readonly #args: readonly Token[][];
  readonly #expand: (tokens: readonly Token[]) => Token[];
  readonly #expanded: (Token[] | undefined)[] = [];

  constructor(
    { parameters, variadic }: Definition,
    args: readonly Token[][],
    expand: (tokens: readonly Token[]) => Token[],
  ) {
    this.#parameters = parameters ?? [];
    this.#variadic = variadic;
    this.#args = args;
    this.#expand = expand;
  }

  replace(body: readonly Token[]): Token[] {
    const result: Token[] = [];
    /** The left operand of a `##` was an argument without tokens. */
    let leftIsEmpty = false;
    for (let at = 0; at < body.length; at += 1) {
      const token = body[at];
      if (token === undefined) break;
      const pasted = isPaste(body[at - 1]) && at >= 2;
      if (isPaste(token) && at > 0 && at < body.length - 1) continue;
      const parameter = this.#parameters.indexOf(token.kind === "identifier" ? token.text : "");
      if (token.text === "#" && this.#parameters.length > 0 && token.kind === "punctuator") {
        const operand = this.#parameters.indexOf(body[at + 1]?.text ?? "");
        if (operand < 0) throw new CannotScan("condition", "# before what is no parameter");
        at += 1;
        this.#join(result, [stringify(this.#args[operand] ?? [], token.space)], pasted, leftIsEmpty);
        leftIsEmpty = false;
        continue;
      }
      if (this.#variadic && token.text === "__VA_OPT__" && body[at + 1]?.text === "(") {
        const end = closing(body, at + 1);
        if (pasted || isPaste(body[end + 1])) throw new CannotScan("condition", "## beside __VA_OPT__");
        const present = this.#expandedArgument(this.#parameters.length - 1).length > 0;
        if (present) result.push(...withSpace(this.replace(body.slice(at + 2, end)), token));
        at = end;
        leftIsEmpty = false;
        continue;
      }
      if (parameter < 0) {
        this.#join(result, [token], pasted, leftIsEmpty);
        leftIsEmpty = false;
        continue;
      }
      const isVariable = this.#variadic && parameter === this.#parameters.length - 1;
      const comma = result.at(-1);
      if (pasted && isVariable && body[at - 2]?.text === "," && comma?.text === ",") {
        // GNU: a comma before no variable arguments goes; before some, nothing is pasted.
        const variable = this.#args[parameter] ?? [];
        if (variable === leftOut) result.pop();
        else if (variable.length === 0) throw new CannotScan("condition", "a comma before an empty argument");
        else
          result.push(
            ...withSpace(isPaste(body[at + 1]) ? variable : this.#expandedArgument(parameter), token),
          );
        leftIsEmpty = false;
        continue;
      }
      const isOperand = pasted || isPaste(body[at + 1]);
      const tokens = isOperand ? (this.#args[parameter] ?? []) : this.#expandedArgument(parameter);
      this.#join(result, withSpace(tokens, token), pasted, leftIsEmpty);
      leftIsEmpty = tokens.length === 0 && (!pasted || leftIsEmpty);
    }
    return result;
  }

  #join(result: Token[], tokens: readonly Token[], pasted: boolean, leftIsEmpty: boolean): void {
    const left = result.at(-1);
    const [right, ...more] = tokens;
    if (!pasted || leftIsEmpty || left === undefined || right === undefined) result.push(...tokens);
    else result.splice(-1, 1, paste(left, right), ...more);
  }

  #expandedArgument(index: number): Token[] {
    return (this.#expanded[index] ??= this.#expand(this.#args[index] ?? []));
  }
}

function isPaste(token: Token | undefined): boolean {
  return token?.text === "##" && token.kind === "punctuator";
}

function closing(body: readonly Token[], open: number): number {
  let depth = 0;
  for (let at = open; at < body.length; at += 1) {
    if (body[at]?.text === "(") depth += 1;
    else if (body[at]?.text === ")") depth -= 1;
    if (depth === 0) return at;
  }
  throw new CannotScan("condition", "an unfinished __VA_OPT__");
}

/** An argument takes the blanks of its parameter; its own are remembered. */
function withSpace(tokens: readonly Token[], parameter: Token): Token[] {
  const [first, ...rest] = tokens;
  if (first === undefined) return [];
  const mayHaveSpace = first.space || first.mayHaveSpace === true;
  return [{ ...first, space: parameter.space, mayHaveSpace }, ...rest];
}

function paste(left: Token, right: Token): Token {
  const [token, more] = tokenize(left.text + right.text);
  if (token === undefined || more !== undefined)
    throw new CannotScan("condition", `${left.text} ## ${right.text}`);
  return { ...token, space: left.space, ...(left.mayHaveSpace === true ? { mayHaveSpace: true } : {}) };
}

function stringify(tokens: readonly Token[], space: boolean): Token {
  const text = tokens.map((token, index) => (token.space && index > 0 ? " " : "") + quoted(token)).join("");
  return { kind: "string", text: `"${text}"`, space };
}

function quoted({ kind, text }: Token): string {
  return kind === "string" || kind === "character" ? text.replaceAll(/["\\]/g, "\\$&") : text;
}
