import { systemClock, type Clock } from "@homcc/observability/clock";

/** How long the steps of one job took, in the order in which they were first begun. Two at once count both. */
export class Phases {
  readonly #clock: Clock;
  readonly #tookMs = new Map<string, number>();

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** Waits for `work`, which has just been begun, and counts its time, also when it rejects. */
  async time<T>(phase: string, work: Promise<T>): Promise<T> {
    const startedMs = this.#clock.monotonicMs();
    this.add(phase, 0);
    try {
      return await work;
    } finally {
      this.add(phase, this.#clock.monotonicMs() - startedMs);
    }
  }

  add(phase: string, tookMs: number): void {
    this.#tookMs.set(phase, (this.#tookMs.get(phase) ?? 0) + tookMs);
  }

  list(): readonly (readonly [phase: string, tookMs: number])[] {
    return [...this.#tookMs];
  }
}
