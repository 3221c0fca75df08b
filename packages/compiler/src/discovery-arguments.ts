import type { CommandInput, CommandShape } from "./command-shape.ts";
import type { CommandPart } from "./option-reader.ts";
import type { OptionClass } from "./option-row.ts";

/** What of a command decides which files are read, as arguments of the same driver; see `Compilation`. */
export function discoveryArguments(shape: CommandShape, source: CommandInput): string[] {
  const language = source.declared === undefined || source.declared === "none" ? [] : ["-x", source.declared];
  return [...shape.parts.flatMap((part) => wordsOf(part, shape.argv)), ...language];
}

const relevant: ReadonlySet<OptionClass["class"]> = new Set([
  "send",
  "replay",
  "macro",
  "include-folder",
  "include-prefix",
  "prefixed-include-folder",
  "system-root",
  "forced-include",
  "extra-input",
]);

function wordsOf(part: CommandPart, argv: readonly string[]): string[] {
  if (part.kind !== "option" || !relevant.has(part.row.meaning.class)) return [];
  if (part.reader === "assembler" || part.reader === "llvm") return [];
  // The driver takes a preprocessor's option itself; the wrapper may hold a dependency option too.
  if (part.reader === "preprocessor") return [`${part.row.name}${part.operand ?? ""}`];
  return [...new Set(part.words)].map((index) => argv[index] ?? "");
}
