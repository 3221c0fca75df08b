import type { LoadedSettings } from "@homcc/config/load";
import type { LaunchCall } from "@homcc/launch/call";
import { coloured, wantsColour } from "@homcc/observability/colour";
import { clientLine, createLogger, type Logger, type LogLevel, silentLogger } from "@homcc/observability/log";

/** How one job talks to its user. */
export interface JobVoice {
  readonly log: Logger;
  /**
   * `nothing`, not even an error · `errors` · `news`: also what the user was not told yet · `everything`: a line about
   * each job.
   */
  readonly tells: "nothing" | "errors" | "news" | "everything";
  /** For what is over soon: a line that is of use to somebody who sits at a terminal, and printed nowhere else. */
  progress(text: string): void;
}

export function jobVoice(call: LaunchCall, { settings }: LoadedSettings, isCheck: boolean): JobVoice {
  // What a check prints is read by a script.
  if (isCheck) return { log: silentLogger, tells: "nothing", progress: () => {} };
  const { argv, environment, noticeTerminal } = call.request;
  // `-v` asks for the compiler's own words, which scripts parse.
  const level = argv.includes("-v") ? "ERROR" : settings.logLevel;
  const format = wantsColour(environment, noticeTerminal) ? coloured(clientLine) : clientLine;
  const print = (line: string): void => void call.notice(Buffer.from(line));
  const tells = extentOf(level);
  return {
    log: createLogger(level, format, print),
    tells,
    progress: (text) => {
      if (noticeTerminal && tells !== "errors") print(`${format("INFO", text)}\n`);
    },
  };
}

function extentOf(level: LogLevel): JobVoice["tells"] {
  switch (level) {
    case "DEBUG":
    case "INFO":
      return "everything";
    case "WARNING":
      return "news";
    case "ERROR":
    case "CRITICAL":
      return "errors";
  }
}
