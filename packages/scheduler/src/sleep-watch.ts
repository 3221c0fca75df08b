import { type Clock, systemClock } from "@homcc/observability/clock";

/** Steps below this are the correction of a clock; no lid is closed for so short a time. */
const minSleepMs = 2_000;

/**
 * Notices that the machine slept: the wall clock ran on, the monotonic clock stood still. A wall clock that is set
 * forward looks the same, which costs its user a look at connections that are in order.
 */
export class SleepWatch {
  readonly #clock: Clock;
  #offsetMs: number;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
    this.#offsetMs = this.#offset();
  }

  /** Whether it slept since the last call. Needs no timer: whoever wants to use a connection asks. */
  slept(): boolean {
    const before = this.#offsetMs;
    this.#offsetMs = this.#offset();
    return this.#offsetMs - before >= minSleepMs;
  }

  #offset(): number {
    return this.#clock.wallMs() - this.#clock.monotonicMs();
  }
}
