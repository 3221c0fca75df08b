import { HomccError } from "@homcc/observability/error";
import { printable } from "./printable.ts";

/**
 * Describes a JSON value. `read` gives the value with everything unknown left out, or throws a `SchemaMismatch` that
 * names the path; it never trusts, recurses only as deep as the schema, and builds nothing before its bound is checked.
 */
export interface Schema<T> {
  read(value: unknown): T;
}

/** A record's member that may be absent; a sender may give `undefined`, a receiver gets no such member. */
export interface OptionalField<T> {
  readonly optional: Schema<T>;
}

export type Field = Schema<unknown> | OptionalField<unknown>;
export type Fields = Readonly<Record<string, Field>>;

export type TypeOf<S> = S extends Schema<infer T> ? T : never;

type Flat<T> = { [K in keyof T]: T[K] };

/** The object type that a set of fields describes. */
export type RecordOf<F extends Fields> = Flat<
  { readonly [K in keyof F as F[K] extends OptionalField<unknown> ? never : K]: TypeOf<F[K]> } & {
    readonly [K in keyof F as F[K] extends OptionalField<unknown> ? K : never]?: F[K] extends OptionalField<
      infer T
    >
      ? T | undefined
      : never;
  }
>;

export interface RecordSchema<F extends Fields> extends Schema<RecordOf<F>> {
  readonly fields: F;
}

/** Alternatives told apart by the string under `tag`. */
export type UnionOf<Tag extends string, V extends Variants> = {
  [K in keyof V]: Flat<{ readonly [T in Tag]: K } & TypeOf<V[K]>>;
}[keyof V];

export type Variants = Readonly<Record<string, RecordSchema<Fields>>>;

export interface UnionSchema<Tag extends string, V extends Variants> extends Schema<UnionOf<Tag, V>> {
  readonly variants: V;
  /** False for a value whose tag is a string that this version does not know. Throws when there is no tag. */
  knows(value: unknown): boolean;
}

/** A value that does not fit; `path` grows while the error travels up. */
export class SchemaMismatch extends Error {
  path = "";
  readonly expected: string;
  readonly found: string;

  constructor(expected: string, value: unknown) {
    super(`expected ${expected}`);
    this.expected = expected;
    this.found = describe(value);
  }
}

/** Reads `value` as `schema`; a mismatch becomes ERR_HOMCC_PROTOCOL with `what` and the path in its message. */
export function parse<T>(schema: Schema<T>, value: unknown, what: string): T {
  try {
    return schema.read(value);
  } catch (error) {
    if (!(error instanceof SchemaMismatch)) throw error;
    throw new HomccError(
      "ERR_HOMCC_PROTOCOL",
      `${what}${error.path}: expected ${error.expected}, found ${error.found}`,
    );
  }
}

export interface StringBounds {
  readonly maxLength: number;
  /** What the text must be besides short; the description is for the error. */
  readonly where?: { readonly description: string; test(text: string): boolean };
}

/** Well-formed text without NUL: what can be a path, an argument or a line for people. Length in UTF-16 units. */
export function string(bounds: StringBounds): Schema<string> {
  return {
    read(value) {
      if (typeof value !== "string") throw new SchemaMismatch("a string", value);
      if (value.length > bounds.maxLength) {
        throw new SchemaMismatch(`at most ${bounds.maxLength} characters`, value);
      }
      if (!value.isWellFormed() || value.includes("\0"))
        throw new SchemaMismatch("Unicode text without NUL", value);
      if (bounds.where?.test(value) === false) throw new SchemaMismatch(bounds.where.description, value);
      return value;
    },
  };
}

/**
 * Text for people: cut and cleaned rather than refused, so that no reason is lost because of what it quotes, and no
 * peer writes escape sequences into a log.
 */
export function prose(maxLength: number): Schema<string> {
  return {
    read(value) {
      if (typeof value !== "string") throw new SchemaMismatch("a string", value);
      return printable(value, maxLength);
    },
  };
}

export function int(min: number, max: number): Schema<number> {
  return {
    read(value) {
      if (typeof value !== "number" || !Number.isSafeInteger(value) || value < min || value > max) {
        throw new SchemaMismatch(`an integer from ${min} to ${max}`, value);
      }
      return value;
    },
  };
}

export const bool: Schema<boolean> = {
  read(value) {
    if (typeof value !== "boolean") throw new SchemaMismatch("true or false", value);
    return value;
  },
};

/** One of some strings; with `fallback`, any other short string of a newer peer counts as that. */
export function oneOf<const T extends string>(choices: readonly T[], fallback?: NoInfer<T>): Schema<T> {
  return {
    read(value) {
      const choice = choices.find((known) => known === value);
      if (choice !== undefined) return choice;
      if (fallback !== undefined && typeof value === "string") return fallback;
      throw new SchemaMismatch(`one of ${choices.join(", ")}`, value);
    },
  };
}

/** A string with a meaning of its own, such as a digest: `convert` gives `undefined` for what is not one. */
export function converted<T>(expected: string, convert: (text: string) => T | undefined): Schema<T> {
  return {
    read(value) {
      const result = typeof value === "string" ? convert(value) : undefined;
      if (result === undefined) throw new SchemaMismatch(expected, value);
      return result;
    },
  };
}

export function array<T>(element: Schema<T>, maxLength: number): Schema<readonly T[]> {
  return {
    read(value) {
      if (!Array.isArray(value)) throw new SchemaMismatch("an array", value);
      if (value.length > maxLength) throw new SchemaMismatch(`at most ${maxLength} elements`, value);
      const result: T[] = [];
      try {
        for (const item of value) result.push(element.read(item));
      } catch (error) {
        throw within(`[${result.length}]`, error);
      }
      return result;
    },
  };
}

/** Any names with values of one kind, such as an environment. */
export function dictionary<T>(
  name: Schema<string>,
  member: Schema<T>,
  maxMembers: number,
): Schema<Readonly<Record<string, T>>> {
  return {
    read(value) {
      const members = Object.entries(plainObject(value));
      if (members.length > maxMembers) throw new SchemaMismatch(`at most ${maxMembers} members`, value);
      return Object.fromEntries(
        members.map(([key, item]) => {
          try {
            return [name.read(key), member.read(item)];
          } catch (error) {
            throw within(`[${JSON.stringify(key.slice(0, 64))}]`, error);
          }
        }),
      );
    },
  };
}

export function optional<T>(schema: Schema<T>): OptionalField<T> {
  return { optional: schema };
}

/** An object with these members; others are ignored, so that a newer peer may send more. */
export function record<const F extends Fields>(fields: F): RecordSchema<F> {
  const members = Object.entries(fields);
  return {
    fields,
    read(value) {
      const source = plainObject(value);
      const result: Record<string, unknown> = {};
      let current = "";
      try {
        for (const [name, field] of members) {
          current = name;
          const member = Object.hasOwn(source, name) ? source[name] : undefined;
          if (!("optional" in field)) result[name] = field.read(member);
          else if (member !== undefined) result[name] = field.optional.read(member);
        }
      } catch (error) {
        throw within(`.${current}`, error);
      }
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the loop has read every member of F
      return result as RecordOf<F>;
    },
  };
}

export function union<const Tag extends string, const V extends Variants>(
  tag: Tag,
  variants: V,
): UnionSchema<Tag, V> {
  const tagOf = (value: unknown): string => {
    const kind = plainObject(value)[tag];
    if (typeof kind !== "string") throw within(`.${tag}`, new SchemaMismatch("a string", kind));
    return kind;
  };
  return {
    variants,
    knows: (value) => Object.hasOwn(variants, tagOf(value)),
    read(value) {
      const kind = tagOf(value);
      const variant = Object.hasOwn(variants, kind) ? variants[kind] : undefined;
      if (variant === undefined) {
        throw within(`.${tag}`, new SchemaMismatch(`one of ${Object.keys(variants).join(", ")}`, kind));
      }
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `kind` is a key of V and the variant is its value
      return { [tag]: kind, ...variant.read(value) } as UnionOf<Tag, V>;
    },
  };
}

function plainObject(value: unknown): Readonly<Record<string, unknown>> {
  if (!isPlainObject(value)) throw new SchemaMismatch("an object", value);
  return value;
}

/** What JSON calls an object. */
export function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function within(step: string, error: unknown): unknown {
  if (error instanceof SchemaMismatch) error.path = `${step}${error.path}`;
  return error;
}

/** Short, whatever the peer sent: it ends in a log. */
function describe(value: unknown): string {
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === "object" && value !== null) return "an object";
  if (typeof value === "string" && value.length > 64) return `a string of ${value.length} characters`;
  return JSON.stringify(value) ?? typeof value;
}
