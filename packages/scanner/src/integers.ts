import { CannotScan } from "./cannot-scan.ts";

/** An `intmax_t` or `uintmax_t`; a number where it is exact, which it nearly always is. */
export interface Integer {
  readonly value: number | bigint;
  readonly unsigned: boolean;
}

export function integer(value: number | bigint, unsigned = false): Integer {
  if (typeof value === "number" && Number.isSafeInteger(value) && (!unsigned || value >= 0))
    return { value, unsigned };
  const wrapped = unsigned ? BigInt.asUintN(64, BigInt(value)) : BigInt.asIntN(64, BigInt(value));
  const small = Number(wrapped);
  return { value: Number.isSafeInteger(small) ? small : wrapped, unsigned };
}

export function truth({ value }: Integer): boolean {
  return typeof value === "number" ? value !== 0 : value !== 0n;
}

function fromTruth(is: boolean): Integer {
  return { value: is ? 1 : 0, unsigned: false };
}

export function negate({ value, unsigned }: Integer): Integer {
  return typeof value === "number" && !unsigned ? integer(0 - value) : integer(-BigInt(value), unsigned);
}

export function complement({ value, unsigned }: Integer): Integer {
  return integer(~BigInt(value), unsigned);
}

/** `&&`, `||` and `?:` are not here: they do not evaluate all operands. */
export function binary(operator: string, left: Integer, right: Integer): Integer {
  if (operator === "<<" || operator === ">>") return shift(operator, left, right);
  const unsigned = left.unsigned || right.unsigned;
  const [one, other] = unsigned ? [toUnsigned(left), toUnsigned(right)] : [left.value, right.value];
  if (typeof one === "number" && typeof other === "number") {
    const result = exact(operator, one, other);
    if (typeof result === "boolean") return fromTruth(result);
    if (result !== undefined && Number.isSafeInteger(result)) return integer(result, unsigned);
  }
  const result = wide(operator, BigInt(one), BigInt(other));
  return typeof result === "boolean" ? fromTruth(result) : integer(result, unsigned);
}

/** The type of what `binary` would give: of a part that is not evaluated only that counts. */
export function isUnsigned(operator: string, left: Integer, right: Integer): boolean {
  if (operator === "<<" || operator === ">>") return left.unsigned;
  return !/^[<>=!]/.test(operator) && (left.unsigned || right.unsigned);
}

function toUnsigned({ value }: Integer): number | bigint {
  return typeof value === "number" && value >= 0 ? value : BigInt.asUintN(64, BigInt(value));
}

/** Doubles are exact here as long as the result is a safe integer. */
function exact(operator: string, one: number, other: number): number | boolean | undefined {
  switch (operator) {
    case "+":
      return one + other;
    case "-":
      return one - other;
    case "*":
      return one * other;
    case "<":
      return one < other;
    case ">":
      return one > other;
    case "<=":
      return one <= other;
    case ">=":
      return one >= other;
    case "==":
      return one === other;
    case "!=":
      return one !== other;
    default:
      return undefined;
  }
}

function wide(operator: string, one: bigint, other: bigint): bigint | boolean {
  switch (operator) {
    case "+":
      return one + other;
    case "-":
      return one - other;
    case "*":
      return one * other;
    case "/":
    case "%":
      if (other === 0n) throw new CannotScan("condition", "division by zero");
      return operator === "/" ? one / other : one % other;
    case "&":
      return one & other;
    case "|":
      return one | other;
    case "^":
      return one ^ other;
    case "<":
      return one < other;
    case ">":
      return one > other;
    case "<=":
      return one <= other;
    case ">=":
      return one >= other;
    case "==":
      return one === other;
    case "!=":
      return one !== other;
    default:
      throw new CannotScan("condition", `operator ${operator}`);
  }
}

/** The type is the left operand's. */
function shift(operator: string, left: Integer, right: Integer): Integer {
  const count = Number(right.value);
  if (count < 0 || count > 63) throw new CannotScan("condition", "a shift by more than the width");
  const value = BigInt(left.value);
  return integer(operator === "<<" ? value << BigInt(count) : value >> BigInt(count), left.unsigned);
}

/** A pp-number of a condition. */
export function parseInteger(text: string): Integer {
  const match =
    /^(0[xX][0-9a-fA-F](?:'?[0-9a-fA-F])*|0[bB][01](?:'?[01])*|0(?:'?[0-7])*|[1-9](?:'?\d)*)((?:u|U)?(?:ll|LL|l|L|z|Z)?|(?:ll|LL|l|L|z|Z)(?:u|U))$/.exec(
      text,
    );
  if (match === null) throw new CannotScan("condition", `the number ${text}`);
  const [, digits = "", suffix = ""] = match;
  const plain = digits.replaceAll("'", "");
  const value = BigInt(/^0\d/.test(plain) ? `0o${plain.slice(1)}` : plain);
  if (value >= 1n << 64n) throw new CannotScan("condition", `the number ${text}`);
  const unsigned = /u/i.test(suffix) || value >= 1n << 63n;
  return integer(value, unsigned);
}

/**
 * A character constant of the basic character set; of other ones the execution character set decides. `prefix` is "" or
 * "L": of those types a target decides whether they have a sign.
 */
export function parseCharacter(text: string, isUnsigned: (prefix: string) => boolean): Integer {
  const [, prefix, body = ""] = /^(L?)'([^]*)'$/.exec(text) ?? [];
  const value = characterCode(body);
  if (prefix === undefined || value === undefined) throw new CannotScan("condition", `the character ${text}`);
  return integer(value, isUnsigned(prefix));
}

function characterCode(body: string): number | undefined {
  if (/^[ -[\]-~]$/.test(body)) return body.charCodeAt(0);
  const simple = /^\\([abfnrtv\\'"?])$/.exec(body)?.[1];
  if (simple !== undefined) return simpleEscapes[simple] ?? simple.charCodeAt(0);
  const octal = /^\\([0-7]{1,3})$/.exec(body)?.[1];
  const value = octal === undefined ? Number.NaN : Number.parseInt(octal, 8);
  return value < 128 ? value : undefined;
}

const simpleEscapes: Readonly<Record<string, number>> = { a: 7, b: 8, f: 12, n: 10, r: 13, t: 9, v: 11 };
