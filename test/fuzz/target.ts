import type { Random } from "./random.ts";

/**
 * Something that reads what others wrote. An input is bytes in the form in which they come (a frame, a file, a command
 * with a word a line), so that a reproducer can be read and mutations keep most of it.
 */
export interface FuzzTarget {
  readonly name: string;
  /** What must hold for every input, completing "whatever comes, …". */
  readonly property: string;
  /** Inputs that make sense: mutations of them go deeper than noise. */
  generate(random: Random): Uint8Array;
  /** Throws when the property does not hold. An error that is the right answer to the input is not thrown. */
  check(input: Buffer): void | Promise<void>;
  /** Words that mutations insert. */
  readonly dictionary?: readonly string[];
  /** Longer inputs are cut. */
  readonly maxBytes?: number;
  /** One try starts processes: milliseconds, no coverage to be guided by, and no hang before a minute. */
  readonly startsProcesses?: boolean;
  /** Why it cannot run on this machine. */
  unavailable?(): string | undefined;
  /** Ends what `check` keeps running. */
  close?(): void;
}

/** The property does not hold. */
export class Violation extends Error {}

/** Throws a `Violation` that tells both when they differ. */
export function mustEqual(what: string, actual: unknown, expected: unknown): void {
  const [found, wanted] = [inspectable(actual), inspectable(expected)];
  if (found !== wanted) throw new Violation(`${what}\n  is       ${found}\n  expected ${wanted}`);
}

export function must(holds: boolean, what: string): void {
  if (!holds) throw new Violation(what);
}

function inspectable(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  return (
    JSON.stringify(value, (_, member: unknown) => (typeof member === "bigint" ? `${member}n` : member)) ??
    "undefined"
  );
}
