import { posix } from "node:path";
import type { Action, Step } from "@homcc/cas/action";
import type { Digest } from "@homcc/cas/digest";
import type { CompilerFamily } from "@homcc/compiler/compilation";
import { commandShape } from "@homcc/compiler/command-shape";

/** What is run to find out whether a result depends on names; both leave their answer at the object's place. */
export interface ProofActions {
  /** Preprocesses only. */
  readonly preprocessing: Action;
  /** Compiles a text that was preprocessed; `undefined` where the command's source is no file of its own. */
  compilationOf(text: Digest): Action | undefined;
}

const preprocessedLanguage: ReadonlyMap<string, string> = new Map([
  ["c", "cpp-output"],
  ["c++", "c++-cpp-output"],
]);

/** `undefined` for commands that are not one driver's, of one source in C or C++. */
export function proofActionsOf(
  action: Action,
  object: string,
  family: CompilerFamily,
): ProofActions | undefined {
  const [step, ...more] = action.steps;
  if (step === undefined || more.length > 0 || step.argv[1]?.startsWith("-cc1") === true) return undefined;
  const shape = commandShape(step.argv, family);
  const [source, ...others] = shape.inputs;
  if (source?.what.kind !== "source" || others.length > 0 || shape.action === "link") return undefined;
  const language = preprocessedLanguage.get(source.what.language);
  if (language === undefined) return undefined;
  const withWords = (at: number, ...words: string[]): Action => {
    const changed: Step = { program: step.program, argv: step.argv.toSpliced(at, 0, ...words) };
    return { ...action, steps: [changed] };
  };
  return {
    preprocessing: withWords(1, "-E", ...(shape.outputs.length === 0 ? ["-o", object] : [])),
    compilationOf: (text) => {
      const path = posix.resolve(action.cwd, source.path);
      const entry = action.inputs.find((input) => input.kind === "file" && input.path === path);
      if (entry?.kind !== "file") return undefined;
      const inputs = action.inputs.map((input) => (input === entry ? { ...entry, digest: text } : input));
      return { ...withWords(source.word, "-w", "-x", language), inputs };
    },
  };
}
