import type { OutcomeName } from "@homcc/observability/outcomes";
import type { CommandInput, CommandShape } from "./command-shape.ts";
import { needsReplay } from "./execution-traits.ts";
import { type CommandPart, type OptionPart, textOf } from "./option-reader.ts";
import type { OptionClass } from "./option-row.ts";
import { isInsideNamespaceRoot } from "./server-check.ts";

/** Why a command is not distributed. */
export interface LocalReason {
  readonly outcome: OutcomeName;
  readonly detail: string;
  readonly linkOutput?: string;
}

/** What the words alone say against sending the command; the file system is not asked. */
export function localReason(shape: CommandShape): LocalReason | undefined {
  return (
    nothingToCompile(shape) ??
    firstOf(shape.parts, (part) => partReason(part, shape)) ??
    firstOf(shape.inputs, (input) => inputReason(input, shape)) ??
    languageReason(shape) ??
    outputReason(shape) ??
    (shape.action === "link" ? linkReason(shape) : undefined)
  );
}

function nothingToCompile(shape: CommandShape): LocalReason | undefined {
  const query = shape.parts.find((part) => part.kind === "option" && part.row.meaning.class === "query");
  if (query !== undefined) return { outcome: "no-compilation", detail: textOf(query, shape.argv) };
  if (shape.inputs.length === 0) return { outcome: "no-compilation", detail: "no source" };
  if (shape.inputs.some(({ what }) => what.kind !== "linker-input")) return undefined;
  const names = shape.inputs.map(({ path }) => path).join(", ");
  if (shape.action !== "link") return { outcome: "no-compilation", detail: names };
  return { outcome: "linking-only", detail: names, linkOutput: shape.outputs.at(-1) ?? "a.out" };
}

function partReason(part: CommandPart, shape: CommandShape): LocalReason | undefined {
  const text = textOf(part, shape.argv);
  if (part.kind === "incomplete") return { outcome: "local-option", detail: `${text}: its value is missing` };
  if (part.kind === "unknown") return { outcome: "unknown-option", detail: text };
  if (part.kind === "input") return wrappedInputReason(part, text);
  return optionReason(part, shape, text);
}

function wrappedInputReason(part: CommandPart & { kind: "input" }, text: string): LocalReason | undefined {
  if (part.path.startsWith("@")) {
    return { outcome: "unreadable-input", detail: `${text}: a file of options that cannot be read` };
  }
  // The assembler takes a further file; what else has no dash there is no option we know.
  if (part.reader === "driver" || (part.reader === "assembler" && part.path !== "" && part.path !== "-")) {
    return undefined;
  }
  return { outcome: "unknown-option", detail: text };
}

function optionReason(part: OptionPart, shape: CommandShape, text: string): LocalReason | undefined {
  const { meaning } = part.row;
  if (meaning.class === "local") return { outcome: "local-option", detail: `${text}: ${part.row.reason}` };
  if (part.operand?.startsWith("@") === true && part.words.length > 1) {
    return { outcome: "local-option", detail: `${text}: a file of options in place of a value` };
  }
  if (part.reader === "preprocessor" && shape.family === "clang" && !clangTakesDirectly(part, shape)) {
    return { outcome: "local-option", detail: `${text}: clang reads it in its own way` };
  }
  if (part.reader === "assembler" && meaning.class === "extra-output" && needsReplay(shape)) {
    return { outcome: "local-option", detail: `${text}: the listing names the assembler's input` };
  }
  if (shape.action !== "link") return undefined;
  return hasOwnOutput(part)
    ? { outcome: "local-option", detail: `${text}: its files are named after the program` }
    : undefined;
}

/**
 * clang turns exactly `-Wp,-MD,f` into -MD -MF f; in a longer list -MD loses its value. Macros it passes on.
 */
function clangTakesDirectly(part: OptionPart, shape: CommandShape): boolean {
  if (part.row.meaning.class === "dependency") {
    return shape.argv[part.words[0] ?? 0] === `-Wp,${part.row.name},${part.operand ?? ""}`;
  }
  return part.row.meaning.class === "macro";
}

/** Objects that wait for the linker have other names than those of -c, and these files would follow them. */
function hasOwnOutput({ row }: OptionPart): boolean {
  const { meaning } = row;
  if (meaning.class === "action") return meaning.action === "llvm";
  return namesOutputs.has(meaning.class) || row.recordsCommand;
}

const namesOutputs: ReadonlySet<OptionClass["class"]> = new Set([
  "dependency",
  "dependency-file",
  "derived-output",
  "extra-output",
]);

function inputReason(input: CommandInput, shape: CommandShape): LocalReason | undefined {
  if (input.what.kind === "other-language") {
    return { outcome: "unsupported-language", detail: `${input.path}: ${input.what.language}` };
  }
  if (input.path.startsWith("-") || !isInsideNamespaceRoot(input.path))
    return { outcome: "unreadable-input", detail: input.path };
  if (input.what.kind === "linker-input" && shape.action !== "link") {
    return { outcome: "unsupported-language", detail: `${input.path}: an input of the linker` };
  }
  return undefined;
}

/**
 * g++ makes C++ of `.c`, `.i` and `.h` unless an -x, `-x none` too, stands before them, and forgets it after one of them:
 * of `g++ -xc a.c b.c` the second is C++, and without the first it would be C.
 */
function languageReason({ family, isCxxDriver, inputs, parts, argv }: CommandShape): LocalReason | undefined {
  if (family !== "gcc" || !isCxxDriver || !inputs.some(({ path }) => /\.[chi]$/.test(path))) return undefined;
  if (inputs.length === 1 && inputs[0]?.declared !== "none") return undefined;
  const declared = parts.find((part) => part.kind === "option" && part.row.meaning.class === "language");
  if (declared === undefined) return undefined;
  return { outcome: "local-option", detail: `${textOf(declared, argv)}: g++ reads it for one source only` };
}

function outputReason(shape: CommandShape): LocalReason | undefined {
  const sources = shape.inputs.filter(({ what }) => what.kind === "source");
  if (shape.outputs.length > 1) return { outcome: "local-option", detail: "-o is given twice" };
  if (shape.outputs.length > 0 && sources.length > 1 && shape.action !== "link") {
    return { outcome: "local-option", detail: "-o with several sources" };
  }
  const architectures = shape.parts.filter((part) => part.kind === "option" && part.row.name === "-arch");
  if (architectures.length > 1) return { outcome: "local-option", detail: "-arch is given twice" };
  return undefined;
}

function linkReason(shape: CommandShape): LocalReason | undefined {
  const names = shape.inputs
    .filter(({ what }) => what.kind === "source")
    .map(({ path }) => path.slice(path.lastIndexOf("/") + 1));
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  return repeated === undefined
    ? undefined
    : { outcome: "local-option", detail: `two sources called ${repeated}` };
}

function firstOf<Item, Found>(
  items: readonly Item[],
  find: (item: Item) => Found | undefined,
): Found | undefined {
  for (const item of items) {
    const found = find(item);
    if (found !== undefined) return found;
  }
  return undefined;
}
