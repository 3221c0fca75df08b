import type { Program } from "@homcc/config/options";
import { type CompletedFlag, completedFlags, ownWords, serverWords } from "./completed-flag.ts";

/** For a folder of zsh's fpath, as `_homcc`. */
export function renderZshCompletion(program: Program): string {
  const lines = completedFlags(program).map((flag) => `'${specification(flag)}'`);
  if (program === "homcc") {
    lines.push(
      `'(-)1: :_alternative "words:own words:(${ownWords.map(({ word }) => word).join(" ")})" "commands:compiler:_command_names -e"'`,
      "'*:: :_normal'",
    );
  } else {
    lines.push(`'1:command:(${serverWords.map(({ word }) => word).join(" ")})'`);
  }
  return `#compdef ${program}
# zsh completion of ${program}, made from its table of options

_arguments \\
  ${lines.join(" \\\n  ")}
`;
}

function specification({ flag, summary, value }: CompletedFlag): string {
  const text = `${flag}[${summary.replaceAll(":", "\\:")}]`;
  switch (value.kind) {
    case "none":
      return text;
    case "path":
      return `${text}:PATH:_files`;
    case "choice":
      return `${text}:${value.name}:(${value.choices.join(" ")})`;
    case "word":
      return `${text}:${value.name}: `;
  }
}
