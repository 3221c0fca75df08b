import type { Time } from "./progress-deadline.ts";

/** Time that passes when the test says so. */
export class ManualTime implements Time {
  #nowMs = 1_000;
  readonly #due = new Set<{ readonly atMs: number; readonly callback: () => void }>();

  readonly clock = { wallMs: () => this.#nowMs, monotonicMs: () => this.#nowMs };

  readonly timers = {
    after: (delayMs: number, callback: () => void): (() => void) => {
      const due = { atMs: this.#nowMs + delayMs, callback };
      this.#due.add(due);
      return () => this.#due.delete(due);
    },
  };

  /** Timers that have neither fired nor been stopped. */
  get pending(): number {
    return this.#due.size;
  }

  pass(ms: number): void {
    this.#nowMs += ms;
    for (const due of this.#due) {
      if (due.atMs > this.#nowMs) continue;
      this.#due.delete(due);
      due.callback();
    }
  }
}
