import { basename, dirname } from "node:path";
import type { CompilerFamily } from "./compilation.ts";
import type { CommandPart, OptionPart } from "./option-reader.ts";
import type { DerivedOutput } from "./option-row.ts";

export type Action = "object" | "assembly" | "syntax";

/** What the names of the outputs follow from. */
export interface OutputQuestion {
  readonly family: CompilerFamily;
  readonly action: Action;
  readonly emitsLlvm: boolean;
  readonly source: string;
  /** Operand of -o. */
  readonly output: string | undefined;
  readonly parts: readonly CommandPart[];
}

export type OutputAnswer =
  | {
      readonly kind: "known";
      readonly mainOutput: string | undefined;
      readonly dependencyFile: string | undefined;
      readonly outputs: readonly string[];
    }
  /** Names that follow another rule, or files that would overwrite each other. */
  | { readonly kind: "unclear"; readonly detail: string };

/**
 * Every file a compile command may write, as far as its names say. Where versions of a compiler differ, the names of
 * all of them are listed: one that is not written is no error, one that is missing here would be lost.
 */
export function outputFiles(question: OutputQuestion): OutputAnswer {
  const { action, output, parts } = question;
  if (output === "" || output === "-") return { kind: "unclear", detail: "-o -" };
  // The compilers' versions disagree about what of `.c` is the ending.
  if (/^\.|^$/.test(basename(question.source))) return { kind: "unclear", detail: question.source };
  const discarded = output === "/dev/null";
  const main = action === "syntax" || discarded ? undefined : (output ?? defaultOutput(question));
  const derived = parts.filter(isOption).filter((part) => part.row.meaning.class === "derived-output");
  const dependency = namedDependencyFile(question);
  if (dependency.kind === "unclear") return dependency;
  const { dependencyFile } = dependency;
  if (discarded && (derived.length > 0 || dependencyFile !== undefined)) {
    return { kind: "unclear", detail: "files named after -o /dev/null" };
  }
  if (action === "syntax" && derived.length > 0) {
    return { kind: "unclear", detail: "files named after an output that -fsyntax-only does not have" };
  }
  const named = parts.filter(isOption).flatMap(namedOutput);
  const outputs = [
    ...(main === undefined ? [] : [main]),
    ...(dependencyFile === undefined ? [] : [dependencyFile]),
    ...new Set(derived.flatMap(({ row: { meaning } }) => derivedNames(meaning, question))),
    ...named,
  ];
  const repeated = outputs.find((path, index) => outputs.indexOf(path) !== index || path === question.source);
  if (repeated !== undefined) return { kind: "unclear", detail: `two files called ${repeated}` };
  return { kind: "known", mainOutput: main, dependencyFile, outputs };
}

function isOption(part: CommandPart): part is OptionPart {
  return part.kind === "option";
}

function defaultOutput({ action, emitsLlvm, source }: OutputQuestion): string {
  const ending = action === "assembly" ? (emitsLlvm ? "ll" : "s") : emitsLlvm ? "bc" : "o";
  return `${sourceStem(source)}.${ending}`;
}

/** Files that options name outright. */
function namedOutput(part: OptionPart): string[] {
  const { row, operand } = part;
  if (row.meaning.class !== "extra-output" || operand === undefined) return [];
  if (row.meaning.after === undefined) return [operand];
  const at = operand.indexOf(row.meaning.after);
  const name = at < 0 ? "" : operand.slice(at + row.meaning.after.length);
  return name === "" || name === "stderr" || name === "stdout" ? [] : [name];
}

/**
 * Without -MF: the output's name with `.d` for its ending, else the source's in the working folder. `-Wp,-MD,f` names
 * the file itself; with another way of naming one beside it the compilers disagree about who wins.
 */
function namedDependencyFile(
  question: OutputQuestion,
):
  | { readonly kind: "known"; readonly dependencyFile: string | undefined }
  | Extract<OutputAnswer, { kind: "unclear" }> {
  const requests = question.parts.filter(isOption).filter(({ row }) => row.meaning.class === "dependency");
  const files = question.parts.filter(isOption).filter(({ row }) => row.meaning.class === "dependency-file");
  const direct = requests.filter(({ reader }) => reader === "preprocessor");
  if (direct.length > 0 && requests.length + files.length > 1) {
    return { kind: "unclear", detail: "two names for the dependency file" };
  }
  if (requests.length === 0) return { kind: "known", dependencyFile: undefined };
  const own = direct[0]?.operand ?? files.at(-1)?.operand;
  if (own === undefined && question.action === "syntax" && question.family === "gcc") {
    return {
      kind: "unclear",
      detail: "a dependency file named after a program that -fsyntax-only does not make",
    };
  }
  const name = own ?? dependencyName(question);
  if (name === "" || name === "-") return { kind: "unclear", detail: `-MF ${name}` };
  return { kind: "known", dependencyFile: name };
}

function dependencyName({ output, source }: OutputQuestion): string {
  return output === undefined ? `${sourceStem(source)}.d` : `${withoutEnding(output)}.d`;
}

function derivedNames(meaning: OptionPart["row"]["meaning"], question: OutputQuestion): string[] {
  if (meaning.class !== "derived-output") return [];
  return question.family === "gcc"
    ? gccNames(meaning.derived, question)
    : clangNames(meaning.derived, question);
}

const endings: Readonly<Record<Exclude<DerivedOutput, "optimization-record">, string>> = {
  "split-dwarf": "dwo",
  "coverage-notes": "gcno",
  "stack-usage": "su",
  callgraph: "ci",
  "time-trace": "json",
};

/** gcc 11 and later keep a leading dot of the output's name, older ones do not. */
function gccNames(derived: DerivedOutput, { output, source }: OutputQuestion): string[] {
  const stems =
    output === undefined
      ? [sourceStem(source)]
      : [...new Set([withoutEnding(output), withoutLaterEnding(output)])];
  if (derived !== "optimization-record") return stems.map((stem) => `${stem}.${endings[derived]}`);
  const folder = output === undefined || dirname(output) === "." ? "" : `${dirname(output)}/`;
  const names = stems.map((stem) => `${stem}${endingOf(source)}.opt-record.json.gz`);
  return [...new Set([...names, `${folder}${basename(source)}.opt-record.json.gz`])];
}

function clangNames(derived: DerivedOutput, { output, source, action }: OutputQuestion): string[] {
  const stem = output === undefined ? sourceStem(source) : withoutEnding(output);
  if (derived === "optimization-record") {
    // Without -o clang takes two endings off a name like a.b.c.
    const stems = [...new Set(output === undefined ? [stem, withoutEnding(stem)] : [stem])];
    return stems.flatMap((name) => [`${name}.opt.yaml`, `${name}.opt.bitstream`]);
  }
  // With -S the .dwo is named after the source even where -o is given.
  const stems = derived === "split-dwarf" && action === "assembly" ? [stem, sourceStem(source)] : [stem];
  return [...new Set(stems)].map((name) => `${name}.${endings[derived]}`);
}

/** The source's name in the working folder, without its ending. */
function sourceStem(source: string): string {
  return withoutLaterEnding(basename(source));
}

function endingOf(path: string): string {
  return path.slice(withoutLaterEnding(path).length);
}

/** Without the last dot of the last component and what follows it; `.o` becomes empty. */
function withoutEnding(path: string): string {
  const dot = path.lastIndexOf(".");
  return dot > path.lastIndexOf("/") ? path.slice(0, dot) : path;
}

/** The same, but a leading dot is no ending's. */
function withoutLaterEnding(path: string): string {
  const dot = path.lastIndexOf(".");
  return dot > path.lastIndexOf("/") + 1 ? path.slice(0, dot) : path;
}
