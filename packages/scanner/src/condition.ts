import { CannotScan } from "./cannot-scan.ts";
import {
  binary,
  isUnsigned,
  complement,
  type Integer,
  integer,
  negate,
  parseCharacter,
  parseInteger,
  truth,
} from "./integers.ts";
import { Expansion } from "./macro-expansion.ts";
import type { MacroState } from "./macro-state.ts";
import type { MacroTable } from "./macro-table.ts";
import { closeHeader, nameOfTokens } from "./header-names.ts";
import type { Token } from "./tokens.ts";

/** What a condition can ask beyond macros. */
export interface ConditionContext {
  readonly table: MacroTable;
  readonly state: MacroState;
  /** `and` is `&&`, and `true` is 1. */
  readonly cplusplus: boolean;
  /** `name` begins with `"` or `<`. */
  /** clang looks also where the value does not count, and lists what it finds. */
  hasFile(question: "include" | "include_next" | "embed", name: string, evaluated: boolean): number;
  /** `__has_attribute(gnu::unused)`: what the compiler says. */
  answer(question: string, operand: string): number;
}

/** By binding strength; all are left-associative. */
const levels: readonly ReadonlySet<string>[] = [
  new Set(["|"]),
  new Set(["^"]),
  new Set(["&"]),
  new Set(["==", "!="]),
  new Set(["<", ">", "<=", ">="]),
  new Set(["<<", ">>"]),
  new Set(["+", "-"]),
  new Set(["*", "/", "%"]),
];

const spelledOperators: Readonly<Record<string, string>> = {
  and: "&&",
  or: "||",
  not: "!",
  xor: "^",
  bitand: "&",
  bitor: "|",
  compl: "~",
  not_eq: "!=",
};

const fileQuestions: Readonly<Record<string, "include" | "include_next" | "embed">> = {
  __has_include: "include",
  __has_include_next: "include_next",
  __has_embed: "embed",
};

/** Open at once; the stack has room for ten times as many. */
const maxParentheses = 100;

/** Whether the group behind `#if` is taken. */
export function holds(tokens: readonly Token[], context: ConditionContext): boolean {
  return truth(new Condition(tokens, context).value());
}

class Condition {
  readonly #expansion: Expansion;
  readonly #context: ConditionContext;
  #token: Token | undefined;
  #depth = 0;

  constructor(tokens: readonly Token[], context: ConditionContext) {
    this.#context = context;
    this.#expansion = new Expansion(tokens, context.table, context.state);
    this.#step();
  }

  value(): Integer {
    const value = this.#comma(true);
    if (this.#token !== undefined)
      throw new CannotScan("condition", `${this.#token.text} behind a condition`);
    return value;
  }

  #step(): void {
    const token = this.#expansion.next();
    const operator =
      token?.kind === "identifier" && this.#context.cplusplus ? spelledOperators[token.text] : undefined;
    this.#token = operator === undefined ? token : { kind: "punctuator", text: operator, space: false };
  }

  #takes(mark: string): boolean {
    if (this.#token?.kind !== "punctuator" || this.#token.text !== mark) return false;
    this.#step();
    return true;
  }

  #expect(mark: string): void {
    if (!this.#takes(mark)) throw new CannotScan("condition", `${mark} is missing`);
  }

  #comma(evaluated: boolean): Integer {
    let value = this.#conditional(evaluated);
    while (this.#takes(",")) value = this.#conditional(evaluated);
    return value;
  }

  #conditional(evaluated: boolean): Integer {
    const condition = this.#or(evaluated);
    if (!this.#takes("?")) return condition;
    const chosen = truth(condition);
    const one = this.#comma(evaluated && chosen);
    this.#expect(":");
    const other = this.#conditional(evaluated && !chosen);
    const { value } = chosen ? one : other;
    return integer(value, one.unsigned || other.unsigned);
  }

  #or(evaluated: boolean): Integer {
    let left = this.#and(evaluated);
    while (this.#takes("||")) {
      const known = truth(left);
      const right = this.#and(evaluated && !known);
      left = integer(known || truth(right) ? 1 : 0);
    }
    return left;
  }

  #and(evaluated: boolean): Integer {
    let left = this.#binary(0, evaluated);
    while (this.#takes("&&")) {
      const open = truth(left);
      const right = this.#binary(0, evaluated && open);
      left = integer(open && truth(right) ? 1 : 0);
    }
    return left;
  }

  #binary(level: number, evaluated: boolean): Integer {
    const operators = levels[level];
    if (operators === undefined) return this.#unary(evaluated);
    let left = this.#binary(level + 1, evaluated);
    for (;;) {
      const token = this.#token;
      if (token?.kind !== "punctuator" || !operators.has(token.text)) return left;
      this.#step();
      const right = this.#binary(level + 1, evaluated);
      left = evaluated ? binary(token.text, left, right) : integer(0, isUnsigned(token.text, left, right));
    }
  }

  #unary(evaluated: boolean): Integer {
    if (this.#takes("!")) return integer(truth(this.#unary(evaluated)) ? 0 : 1);
    if (this.#takes("-")) return negate(this.#unary(evaluated));
    if (this.#takes("+")) return this.#unary(evaluated);
    if (this.#takes("~")) return complement(this.#unary(evaluated));
    if (this.#takes("(")) {
      this.#depth += 1;
      if (this.#depth > maxParentheses) throw new CannotScan("limit", "parentheses in a condition");
      const value = this.#comma(evaluated);
      this.#expect(")");
      this.#depth -= 1;
      return value;
    }
    return this.#primary(evaluated);
  }

  #primary(evaluated: boolean): Integer {
    const token = this.#token;
    switch (token?.kind) {
      case "number":
        this.#step();
        return parseInteger(token.text);
      case "character":
        this.#step();
        return parseCharacter(token.text, (prefix) => this.#isUnsigned(prefix));
      case "identifier":
        return this.#name(token.text, evaluated);
      default:
        throw new CannotScan("condition", token === undefined ? "an operand is missing" : token.text);
    }
  }

  #isUnsigned(prefix: string): boolean {
    const { table, state } = this.#context;
    return state.read(table.symbol(prefix === "L" ? "__WCHAR_UNSIGNED__" : "__CHAR_UNSIGNED__")) !== 0;
  }

  #name(name: string, evaluated: boolean): Integer {
    if (name === "defined") return this.#defined();
    const { table, state, cplusplus } = this.#context;
    if (name.startsWith("__") && state.read(table.symbol(name)) !== 0) {
      const question = Object.hasOwn(fileQuestions, name) ? fileQuestions[name] : undefined;
      if (question !== undefined) return this.#hasFile(question, evaluated);
      if (name.startsWith("__has_") || name.startsWith("__is_") || name.startsWith("__building_"))
        return this.#answer(name, evaluated);
    }
    this.#step();
    if (name === "true" && cplusplus) return integer(1);
    // A call of what is no macro is an error of the source.
    return integer(0);
  }

  #defined(): Integer {
    let token = this.#expansion.nextUnexpanded();
    const inParentheses = token?.text === "(";
    if (inParentheses) token = this.#expansion.nextUnexpanded();
    if (token?.kind !== "identifier") throw new CannotScan("condition", "defined without a name");
    if (inParentheses && this.#expansion.nextUnexpanded()?.text !== ")")
      throw new CannotScan("condition", "defined without )");
    const { table, state } = this.#context;
    const value = state.read(table.symbol(token.text));
    this.#step();
    return integer(value === 0 ? 0 : 1);
  }

  #hasFile(question: "include" | "include_next" | "embed", evaluated: boolean): Integer {
    this.#open();
    const tokens = this.#operand((expansion) => expansion.next());
    const end = closeHeader(tokens);
    if (question === "embed" && end < tokens.length) throw new CannotScan("condition", "parameters of embed");
    const name = nameOfTokens(tokens.slice(0, end));
    if (end < tokens.length) throw new CannotScan("condition", "text behind a header name");
    this.#step();
    const value = this.#context.hasFile(question, name, evaluated);
    return integer(evaluated ? value : 0);
  }

  #answer(question: string, evaluated: boolean): Integer {
    this.#open();
    const tokens = this.#operand((expansion) => expansion.nextUnexpanded());
    const { table, state } = this.#context;
    for (const { kind, text } of tokens) {
      // Compilers differ in whether they expand it.
      if (kind === "identifier" && state.read(table.symbol(text)) !== 0)
        throw new CannotScan("condition", `the macro ${text} in ${question}`);
    }
    this.#step();
    return integer(evaluated ? this.#context.answer(question, tokens.map(({ text }) => text).join("")) : 0);
  }

  #open(): void {
    if (this.#expansion.next()?.text !== "(") throw new CannotScan("condition", "a question without (");
  }

  /** To the closing parenthesis, which is taken too. */
  #operand(next: (expansion: Expansion) => Token | undefined): Token[] {
    const tokens: Token[] = [];
    for (let depth = 0; ;) {
      const token = next(this.#expansion);
      if (token === undefined) throw new CannotScan("condition", "a question without )");
      if (token.text === "(") depth += 1;
      else if (token.text === ")") depth -= 1;
      if (depth < 0) return tokens;
      tokens.push(token);
    }
  }
}
