/**
 * Something in a hosts file, a configuration file, a variable or an option that cannot be used. A client reports it
 * once and ignores it, because a bad line must never stop a build; homccd refuses to start on an `error`.
 */
export interface Problem {
  readonly severity: "error" | "warning";
  /** Where: `FILE:LINE:COLUMN`, `HOMCC_HOSTS:LINE:COLUMN`, a variable or an option. */
  readonly source: string;
  readonly message: string;
  /** What is allowed, or what to do instead. */
  readonly hint: string;
}

/** One line for logs. */
export function describeProblem(problem: Problem): string {
  return `${problem.source}: ${problem.message} (${problem.hint})`;
}
