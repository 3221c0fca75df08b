import type { Program } from "@homcc/config/options";
import { type CompletedFlag, completedFlags, ownWords, serverWords } from "./completed-flag.ts";

/** For a folder `vendor_completions.d` of fish. */
export function renderFishCompletion(program: Program): string {
  const condition = program === "homcc" ? " -n __fish_use_subcommand" : "";
  return [
    `# fish completion of ${program}, made from its table of options`,
    ...completedFlags(program).map((flag) => `complete -c ${program}${condition} ${specification(flag)}`),
    ...(program === "homcc"
      ? [
          ...ownWords.map(
            ({ word, summary }) => `complete -c homcc${condition} -f -a ${word} -d '${summary}'`,
          ),
          "complete -c homcc -x -a '(__fish_complete_subcommand)'",
        ]
      : [
          ...serverWords.map(
            ({ word, summary }) =>
              `complete -c homccd -n __fish_use_subcommand -f -a ${word} -d '${summary}'`,
          ),
          "complete -c homccd -f",
        ]),
    "",
  ].join("\n");
}

function specification({ flag, summary, value }: CompletedFlag): string {
  const name = flag.startsWith("--") ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`;
  switch (value.kind) {
    case "none":
      return `${name} -d '${summary}'`;
    case "path":
      return `${name} -r -F -d '${summary}'`;
    case "choice":
      return `${name} -x -a '${value.choices.join(" ")}' -d '${summary}'`;
    case "word":
      return `${name} -x -d '${summary}'`;
  }
}
