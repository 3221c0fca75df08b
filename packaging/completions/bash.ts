import type { Program } from "@homcc/config/options";
import { type CompletedFlag, completedFlags, ownWords, serverWords } from "./completed-flag.ts";

/** For /usr/share/bash-completion/completions. Behind the compiler of homcc, the compiler's own completion goes on. */
export function renderBashCompletion(program: Program): string {
  const flags = completedFlags(program);
  const withValue = flags.filter(({ value }) => value.kind !== "none");
  return `# bash completion of ${program}, made from its table of options

_${program}() {
  local current=\${COMP_WORDS[COMP_CWORD]} index
  COMPREPLY=()
  for ((index = 1; index < COMP_CWORD; index++)); do
    case \${COMP_WORDS[index]} in
    ${withValue.map(({ flag }) => flag).join(" | ")})
      ((++index == COMP_CWORD)) || continue
      case \${COMP_WORDS[index - 1]} in
${withValue.flatMap(valueCase).join("\n")}
      esac
      return
      ;;
    -*) ;;
    *)
      ${program === "homcc" ? behindFirstWord : "return"}
      ;;
    esac
  done
  if [[ $current == -* ]]; then
    COMPREPLY=($(compgen -W '${flags.map(({ flag }) => flag).join(" ")}' -- "$current"))${
      program === "homcc"
        ? `
  else
    COMPREPLY=($(compgen -W '${ownWords.map(({ word }) => word).join(" ")}' -- "$current") $(compgen -c -- "$current"))`
        : `
  else
    COMPREPLY=($(compgen -W '${serverWords.map(({ word }) => word).join(" ")}' -- "$current"))`
    }
  fi
}
complete -F _${program} ${program}
`;
}

const behindFirstWord = `case \${COMP_WORDS[index]} in
      ${ownWords.map(({ word }) => word).join(" | ")}) ;;
      *) declare -F _command_offset >/dev/null && _command_offset "$index" ;;
      esac
      return`;

function valueCase({ flag, value }: CompletedFlag): readonly string[] {
  if (value.kind === "path") return [`      ${flag}) COMPREPLY=($(compgen -f -- "$current")) ;;`];
  if (value.kind === "choice")
    return [`      ${flag}) COMPREPLY=($(compgen -W '${value.choices.join(" ")}' -- "$current")) ;;`];
  return [];
}
