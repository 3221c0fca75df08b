import type { Logger } from "@homcc/observability/log";
import { describeError } from "@homcc/observability/error";
import { systemTimers, type Timers } from "@homcc/scheduler/timers";
import { audit, type AuditTools, type AuditVerdict } from "./audit.ts";
import type { Candidate, Candidates } from "./candidates.ts";
import type { AuditReporter } from "./audit-reporter.ts";
import type { AuditSubject } from "./subject.ts";

/** After the last job of a build: the next one is often on its way. */
export const restMs = 10_000;
/** Between looks at a machine that is busy with other things. */
const againMs = 60_000;
/** An idle agent has no timers: after so many looks in vain the next job's end begins anew. */
const maxLooks = 10;
/** A candidate whose audit builds ended so often takes longer than they leave. */
const maxAttempts = 5;

export interface AuditorOptions {
  readonly candidates: Candidates;
  readonly tools: AuditTools;
  readonly reporter: AuditReporter;
  /** Why nothing may be compiled now. */
  readonly whyBusy: () => string | undefined;
  readonly logger: Logger;
  readonly timers?: Timers;
  /** Uniform in [0, 1). */
  readonly random?: () => number;
}

/** Compiles a few of the finished jobs again while nothing else happens, one at a time, and gives way to any build at once. */
export class Auditor {
  readonly #options: AuditorOptions;
  readonly #timers: Timers;
  readonly #random: () => number;
  #calls = 0;
  #looks = 0;
  #cancelTimer: () => void = () => {};
  #running: { readonly stop: AbortController; readonly ended: Promise<void> } | undefined;
  #isClosed = false;

  constructor(options: AuditorOptions) {
    this.#options = options;
    this.#timers = options.timers ?? systemTimers;
    this.#random = options.random ?? Math.random;
  }

  /** Jobs that wait for being looked at, the one that is just compiled included. */
  get waiting(): number {
    return this.#options.candidates.size + (this.#running === undefined ? 0 : 1);
  }

  /** Keeps the job for later with the probability `rate`; before its outputs are committed. Never rejects. */
  async sample(rate: number, subject: () => AuditSubject | undefined): Promise<void> {
    if (this.#isClosed || this.#random() >= rate) return;
    const chosen = subject();
    if (chosen === undefined) return;
    try {
      if (!(await this.#options.candidates.add(chosen)))
        this.#options.reporter.count({ kind: "impossible", why: "the results are too large to be kept" });
    } catch (error) {
      this.#options.logger.info(
        `${chosen.compilation.source}: not kept for an audit: ${describeError(error)}`,
      );
    }
  }

  /** A call is served until the result is disposed of: the audit that runs ends now, and its candidate waits. */
  busy(): Disposable {
    this.#calls += 1;
    this.#cancelTimer();
    this.#running?.stop.abort(new Error("a build began"));
    let isOpen = true;
    return {
      [Symbol.dispose]: () => {
        if (isOpen && --this.#calls === 0) {
          this.#looks = 0;
          this.#lookIn(restMs);
        }
        isOpen = false;
      },
    };
  }

  /** Ends the audit that runs, and forgets what waits. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelTimer();
    this.#running?.stop.abort(new Error("the agent ends"));
    await this.#running?.ended;
    await this.#options.candidates.close();
  }

  #lookIn(delayMs: number): void {
    this.#cancelTimer();
    if (this.#isClosed || this.#calls > 0 || this.#options.candidates.size === 0) return;
    this.#cancelTimer = this.#timers.after(delayMs, () => this.#look());
  }

  #look(): void {
    if (this.#isClosed || this.#calls > 0 || this.#running !== undefined) return;
    const { candidates, whyBusy } = this.#options;
    if (whyBusy() !== undefined) {
      this.#looks += 1;
      if (this.#looks < maxLooks) this.#lookIn(againMs);
      return;
    }
    const candidate = candidates.take();
    if (candidate === undefined) return;
    const stop = new AbortController();
    const ended = this.#examine(candidate, stop.signal).finally(() => {
      this.#running = undefined;
      this.#lookIn(restMs);
    });
    this.#running = { stop, ended };
  }

  /** Never rejects. */
  async #examine(candidate: Candidate, signal: AbortSignal): Promise<void> {
    const { candidates, tools, reporter, logger } = this.#options;
    const { subject } = candidate;
    try {
      const verdict: AuditVerdict = await audit(subject, tools, signal, (ours, differences) =>
        reporter.different(subject, ours, differences).then(() => {}),
      );
      reporter.count(verdict);
      logger.info(
        `audit of ${subject.compilation.source} from ${subject.from.host}: ${describeVerdict(verdict)}`,
      );
      await candidates.drop(candidate);
    } catch (error) {
      candidate.attempts += 1;
      if (signal.aborted && candidate.attempts < maxAttempts) await candidates.putBack(candidate);
      else {
        if (!signal.aborted) logger.error(`audit of ${subject.compilation.source}: ${describeError(error)}`);
        reporter.count({ kind: "impossible", why: describeError(error) });
        await candidates.drop(candidate);
      }
    }
  }
}

export function describeVerdict(verdict: AuditVerdict): string {
  switch (verdict.kind) {
    case "identical":
      return verdict.varying.length === 0
        ? "identical"
        : `identical, but for what two compiles here differ in: ${verdict.varying.join(", ")}`;
    case "different":
      return `DIFFERENT: ${verdict.differences.map(({ detail }) => detail).join("; ")}`;
    case "void":
      return `void: ${verdict.why}`;
    case "impossible":
      return `not possible: ${verdict.why}`;
  }
}
