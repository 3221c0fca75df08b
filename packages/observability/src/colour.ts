import type { LineFormat, LogLevel } from "./log.ts";

/** Whether lines for people are coloured: `NO_COLOR`, then `CLICOLOR_FORCE`, then a terminal that has colours. */
export function wantsColour(
  environment: Readonly<Record<string, string | undefined>>,
  isTerminal: boolean,
): boolean {
  if ((environment["NO_COLOR"] ?? "") !== "") return false;
  const force = environment["CLICOLOR_FORCE"] ?? "";
  if (force !== "" && force !== "0") return true;
  return isTerminal && environment["CLICOLOR"] !== "0" && environment["TERM"] !== "dumb";
}

const yellow = "\u001B[33m";
const red = "\u001B[31m";
const reset = "\u001B[0m";

const colourOf: Readonly<Partial<Record<LogLevel, string>>> = { WARNING: yellow, ERROR: red, CRITICAL: red };

/** Colours whole lines and nothing inside them: `[HOMCC-WARNING] text` stays one piece for those who search for it. */
export function coloured(format: LineFormat): LineFormat {
  return (level, text) => {
    const colour = colourOf[level];
    const line = format(level, text);
    return colour === undefined ? line : `${colour}${line}${reset}`;
  };
}
