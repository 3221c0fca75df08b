import type { CompilerFamily } from "./compilation.ts";
import { type CommandPart, readOptions, textOf } from "./option-reader.ts";

/** What one part of a command means to homcc, for `--explain`. */
export interface ExplainedPart {
  /** As written; for a wrapped option with its wrapper. */
  readonly text: string;
  readonly class: string;
  readonly reason: string;
}

/** Names class and reason of each part of a command; `argv` with the compiler's name first, `@file` not expanded. */
export function explainOptions(argv: readonly string[], family: CompilerFamily): ExplainedPart[] {
  return readOptions(argv, family).map((part) => ({ text: textOf(part, argv), ...meaningOf(part) }));
}

function meaningOf(part: CommandPart): { readonly class: string; readonly reason: string } {
  if (part.kind === "option") return { class: part.row.meaning.class, reason: part.row.reason };
  if (part.kind === "input") return { class: "input", reason: `read by the ${part.reader}` };
  if (part.kind === "unknown") return { class: "unknown", reason: "not in the option table" };
  return { class: "incomplete", reason: "its value is missing" };
}
