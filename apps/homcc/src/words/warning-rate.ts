import type { Clock } from "@homcc/observability/clock";

/** A cause that nothing was said or counted about for so long is news again: it is another build by now. */
const quietMs = 5 * 60_000;
/** At most one summary in such a time. */
const summaryIntervalMs = 60_000;
/** Above these the oldest is forgotten, and would be told again. */
const maxSessions = 256;
const maxCauses = 1000;

/** What one shell, terminal or IDE has been told. */
interface Session {
  /** When each cause occurred last, oldest first. */
  readonly causes: Map<string, number>;
  /** Files whose warning was not printed since the last summary, by what happened to them. */
  readonly counts: Map<string, number>;
  countingSinceMs: number;
  countedLastMs: number;
}

/**
 * Decides which warnings are printed, so that a build of 10,000 files says once that a server is gone and not 10,000
 * times. Per session, because what one terminal was told another one does not know. Has no timer: a summary goes out
 * with a job, and what no job was there for goes to `forget`.
 */
export class WarningRate {
  readonly #clock: Clock;
  readonly #forget: (text: string) => void;
  readonly #sessions = new Map<number, Session>();

  constructor(clock: Clock, forget: (text: string) => void) {
    this.#clock = clock;
    this.#forget = forget;
  }

  /** True when the session has to be told of this cause. Asking counts as an occurrence. */
  isNews(sessionId: number, cause: string): boolean {
    const { causes } = this.#session(sessionId);
    const nowMs = this.#clock.monotonicMs();
    const lastMs = causes.get(cause);
    // Last in line for being forgotten.
    causes.delete(cause);
    causes.set(cause, nowMs);
    const oldest = causes.keys().next();
    if (causes.size > maxCauses && oldest.done !== true) causes.delete(oldest.value);
    return lastMs === undefined || nowMs - lastMs >= quietMs;
  }

  /** Counts a file that was compiled at home because of `label` and whose warning is not printed. */
  count(sessionId: number, label: string): void {
    const session = this.#session(sessionId);
    const nowMs = this.#clock.monotonicMs();
    if (session.counts.size === 0) session.countingSinceMs = nowMs;
    session.countedLastMs = nowMs;
    session.counts.set(label, (session.counts.get(label) ?? 0) + 1);
  }

  /** The summary that the session's next job has to print; `undefined` when there is none, or not yet. */
  takeSummary(sessionId: number): string | undefined {
    const session = this.#sessions.get(sessionId);
    if (session === undefined || session.counts.size === 0) return undefined;
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - session.countedLastMs >= quietMs) {
      // Of a build that has ended: whoever looks at the screen now would take it for this one's.
      this.#forget(summaryOf(session.counts));
      session.counts.clear();
      return undefined;
    }
    if (nowMs - session.countingSinceMs < summaryIntervalMs) return undefined;
    const text = summaryOf(session.counts);
    session.counts.clear();
    return text;
  }

  /** Hands over what was counted and not printed, at the end of the agent. */
  close(): void {
    for (const { counts } of this.#sessions.values()) if (counts.size > 0) this.#forget(summaryOf(counts));
    this.#sessions.clear();
  }

  #session(sessionId: number): Session {
    const known = this.#sessions.get(sessionId);
    const session = known ?? { causes: new Map(), counts: new Map(), countingSinceMs: 0, countedLastMs: 0 };
    // Last in line for being forgotten.
    this.#sessions.delete(sessionId);
    this.#sessions.set(sessionId, session);
    const [oldest] = this.#sessions;
    if (this.#sessions.size > maxSessions && oldest !== undefined) {
      const [oldestId, { counts }] = oldest;
      if (counts.size > 0) this.#forget(summaryOf(counts));
      this.#sessions.delete(oldestId);
    }
    return session;
  }
}

/** "37 more files were compiled locally: no server could be reached (30), timed out (7)". */
function summaryOf(counts: ReadonlyMap<string, number>): string {
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const reasons = [...counts].map(([label, count]) => (counts.size === 1 ? label : `${label} (${count})`));
  const files = total === 1 ? "1 more file was" : `${total} more files were`;
  return `${files} compiled locally: ${reasons.join(", ")}`;
}
