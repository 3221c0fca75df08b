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

/** Above this many different problems the oldest is forgotten, and would be reported again. */
const maxRemembered = 1000;

/** Remembers what was reported, so that a build of 10,000 files names a bad line once and not 10,000 times. */
export class ProblemMemory {
  readonly #reported = new Set<string>();

  /** Those of `problems` that were not reported yet; they count as reported from now on. */
  takeNew(problems: readonly Problem[]): Problem[] {
    return problems.filter((problem) => this.#remember(describeProblem(problem)));
  }

  #remember(text: string): boolean {
    if (this.#reported.has(text)) return false;
    const oldest = this.#reported.values().next();
    if (this.#reported.size >= maxRemembered && oldest.done !== true) this.#reported.delete(oldest.value);
    this.#reported.add(text);
    return true;
  }
}
