/**
 * Errors that a user can reach. A bug is a plain Error and has no code.
 *
 * The message says what is wrong and where; `hint` says what is allowed or what to do; `cause` is what failed below.
 */
export type ErrorCode =
  | "ERR_HOMCC_USAGE"
  | "ERR_HOMCC_CONFIGURATION"
  | "ERR_HOMCC_NO_HOSTS"
  | "ERR_HOMCC_RECURSION"
  | "ERR_HOMCC_UNAVAILABLE"
  | "ERR_HOMCC_BIND"
  | "ERR_HOMCC_PROTOCOL"
  | "ERR_HOMCC_REFUSED"
  | "ERR_HOMCC_UNTRUSTED"
  | "ERR_HOMCC_CONNECTION_LOST"
  | "ERR_HOMCC_CONNECT_TIMEOUT"
  | "ERR_HOMCC_DIGEST_MISMATCH"
  | "ERR_HOMCC_STORE_FULL"
  | "ERR_HOMCC_INPUT_CHANGED"
  | "ERR_HOMCC_OUTPUT"
  | "ERR_HOMCC_EXECUTOR"
  | "ERR_HOMCC_TOOLCHAIN"
  | "ERR_HOMCC_SANDBOX";

/** sysexits.h numbers for errors that end a program of ours; the compiler's own status never passes through here. */
export const exitStatusOf: Readonly<Partial<Record<ErrorCode, number>>> = {
  ERR_HOMCC_USAGE: 64,
  ERR_HOMCC_RECURSION: 64,
  ERR_HOMCC_NO_HOSTS: 66,
  ERR_HOMCC_UNAVAILABLE: 69,
  ERR_HOMCC_BIND: 71,
  ERR_HOMCC_CONFIGURATION: 78,
};

export interface HomccErrorOptions {
  readonly hint?: string;
  readonly cause?: unknown;
}

export class HomccError extends Error {
  override readonly name = "HomccError";
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, options: HomccErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
  }
}

/** True when `error` is one of ours with that code. */
export function hasCode(error: unknown, code: ErrorCode): error is HomccError {
  return error instanceof HomccError && error.code === code;
}

/**
 * One line for logs and terminals: message, then the hint, then the message of the innermost cause. What a peer named (a path, an
 * option) comes without control characters, so without escape sequences.
 */
export function describeError(error: unknown): string {
  return wordsOf(error).replaceAll(/[^\P{Cc}\n\t]/gu, " ");
}

function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const hint = error instanceof HomccError && error.hint !== undefined ? ` (${error.hint})` : "";
  const cause = error.cause instanceof Error ? `: ${wordsOf(error.cause)}` : "";
  return `${error.message}${hint}${cause}`;
}
