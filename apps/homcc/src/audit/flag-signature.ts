import { createHash } from "node:crypto";
import type { Compilation, CompilerFamily } from "@homcc/compiler/compilation";
import { readOptions } from "@homcc/compiler/option-reader";
import type { OptionClass } from "@homcc/compiler/option-row";

/** What two files of a project compile alike. */
export interface FlagSignature {
  /** For people; may be cut. */
  readonly text: string;
  readonly id: string;
}

/** What decides how code is made; not the names of files and folders, macros and warnings, which differ from file to file. */
const telling: ReadonlySet<OptionClass["class"]> = new Set([
  "send",
  "action",
  "derived-output",
  "replay",
  "system-root",
]);

const maxTextLength = 200;

/** The language and the options that decide how a file is compiled, in the order in which they were given. */
export function flagSignature(
  { argv, language }: Pick<Compilation, "argv" | "language">,
  family: CompilerFamily,
): FlagSignature {
  const options = readOptions(argv, family).flatMap((part) =>
    part.kind === "option" && telling.has(part.row.meaning.class)
      ? [part.words.map((index) => argv[index] ?? "").join(" ")]
      : [],
  );
  const text = [family, language, ...options].join(" ");
  return {
    text: text.length > maxTextLength ? `${text.slice(0, maxTextLength)}…` : text,
    id: createHash("sha256").update(text).digest("hex").slice(0, 16),
  };
}
