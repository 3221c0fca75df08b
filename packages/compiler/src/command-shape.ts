import { basename } from "node:path";
import type { CompilerFamily } from "./compilation.ts";
import { lastOperand } from "./input-options.ts";
import { readOptions, type CommandPart } from "./option-reader.ts";
import { inputKind, type InputKind, type SourceReader } from "./source-language.ts";

/** What a command makes: `link` means that it compiles what it must and links. */
export type CommandAction = "object" | "assembly" | "syntax" | "link";

export interface CommandInput {
  readonly path: string;
  /** Its place in `argv`. */
  readonly word: number;
  /** Operand of the last `-x` before it. */
  readonly declared: string | undefined;
  readonly what: InputKind;
}

/** A command taken apart. */
export interface CommandShape {
  readonly family: CompilerFamily;
  /** Called as g++ or clang++. */
  readonly isCxxDriver: boolean;
  /** Response files expanded; the compiler's name first. */
  readonly argv: readonly string[];
  readonly parts: readonly CommandPart[];
  readonly inputs: readonly CommandInput[];
  readonly action: CommandAction;
  readonly emitsLlvm: boolean;
  /** Operands of -o; more than one is possible, and an error to gcc. */
  readonly outputs: readonly string[];
}

export function commandShape(argv: readonly string[], family: CompilerFamily): CommandShape {
  const parts = readOptions(argv, family);
  const isCxxDriver = basename(argv[0] ?? "").includes("++");
  const actions = new Set(
    parts.flatMap((part) =>
      part.kind === "option" && part.row.meaning.class === "action" ? [part.row.meaning.action] : [],
    ),
  );
  return {
    family,
    isCxxDriver,
    argv,
    parts,
    inputs: commandInputs(parts, { family, cxxDriver: isCxxDriver }),
    // The drivers stop at the earliest stage that is asked for, whatever the order of the words.
    action: (["syntax", "assembly", "object"] as const).find((action) => actions.has(action)) ?? "link",
    emitsLlvm: actions.has("llvm"),
    outputs: parts.flatMap((part) =>
      part.kind === "option" && part.row.meaning.class === "output" ? [part.operand ?? ""] : [],
    ),
  };
}

function commandInputs(parts: readonly CommandPart[], reader: SourceReader): CommandInput[] {
  const inputs: CommandInput[] = [];
  let declared: string | undefined;
  for (const part of parts) {
    if (part.reader !== "driver") continue;
    if (part.kind === "option" && part.row.meaning.class === "language") declared = part.operand;
    if (part.kind !== "input") continue;
    const word = part.words[0];
    if (word === undefined) throw new Error("an input without its word");
    inputs.push({ path: part.path, word, declared, what: inputKind(part.path, declared, reader) });
  }
  return inputs;
}

/** The name given to the linker's product. */
export function linkOutput(shape: CommandShape): string {
  return lastOperand(shape.parts, "output") ?? "a.out";
}
