import { resolve } from "node:path";
import type { Compilation, CompilerFamily } from "./compilation.ts";
import { findOption } from "./option-index.ts";

/** Words of clang's own command line that a file it writes comes after. */
const clangOutputs: ReadonlySet<string> = new Set([
  "-coverage-notes-file",
  "-dependency-file",
  "-diagnostic-log-file",
  "-header-include-file",
  "-opt-record-file",
  "-serialize-diagnostic-file",
  "-split-dwarf-output",
  "-stack-usage-file",
]);

/**
 * A word by which a wrapper has the compiler proper write a file that its caller did not ask for: nobody would bring it
 * back. `words` are the compiler proper's.
 */
export function wrapperOutput(
  words: readonly string[],
  { argv, outputs }: Pick<Compilation, "argv" | "outputs">,
  { family, cwd }: { readonly family: CompilerFamily; readonly cwd: string },
): string | undefined {
  if (family === "gcc") {
    const asked = new Set(["", ...argv.map(writtenBy)]);
    return words.find((word) => !asked.has(writtenBy(word)));
  }
  const asked = new Set(outputs.map((path) => resolve(cwd, path)));
  return words.find((word, index) =>
    clangOutputs.has(word)
      ? !asked.has(resolve(cwd, words[index + 1] ?? ""))
      : word.startsWith("-ftime-trace") && !argv.includes(word),
  );
}

/** What the word has gcc write beside the object; "" for words that have it write nothing. */
function writtenBy(word: string): string {
  const row = findOption(word.replace(/^-Wp,(-MM?D),.*/, "$1"), "gcc", "driver")?.row;
  if (row?.meaning.class === "derived-output") return row.meaning.derived;
  if (row?.meaning.class === "dependency") return "dependency file";
  return row?.meaning.class === "extra-output" ? row.name : "";
}
