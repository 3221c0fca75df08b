/** Log levels as homcc 1.x names them, least important first. */
export const logLevels = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] as const;
export type LogLevel = (typeof logLevels)[number];

export interface Logger {
  debug(text: string): void;
  info(text: string): void;
  warning(text: string): void;
  error(text: string): void;
  critical(text: string): void;
}

/** Turns one record into the line a program prints, without its line end. */
export type LineFormat = (level: LogLevel, text: string) => string;

/** Writes every record at or above `threshold` as one line through `write`. A threshold that may change is a function. */
export function createLogger(
  threshold: LogLevel | (() => LogLevel),
  format: LineFormat,
  write: (line: string) => void,
): Logger {
  const lowest = typeof threshold === "function" ? threshold : (): LogLevel => threshold;
  const record = (level: LogLevel) => (text: string) => {
    if (logLevels.indexOf(level) >= logLevels.indexOf(lowest())) write(`${format(level, text)}\n`);
  };
  return {
    debug: record("DEBUG"),
    info: record("INFO"),
    warning: record("WARNING"),
    error: record("ERROR"),
    critical: record("CRITICAL"),
  };
}

/** What homcc 1.x prints on the client: `[HOMCC-WARNING] text`. */
export const clientLine: LineFormat = (level, text) => `[HOMCC-${level}] ${text}`;

/** What homcc 1.x prints on the server: `[WARNING] time - thread - text`; our thread is the process. */
export const serverLine: LineFormat = (level, text) =>
  `[${level}] ${new Date().toISOString()} - ${process.pid} - ${text}`;

export const silentLogger: Logger = createLogger("CRITICAL", clientLine, () => {});
