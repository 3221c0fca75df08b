import type { Clock } from "@homcc/observability/clock";

/** Share of the time that one peer's messages may take: a build with 64 jobs at once needs 2 %. */
const share = 0.2;

/** What a peer may use at once: the first jobs of a build declare thousands of files, some 5 ms for each megabyte of JSON. */
const burstMs = 200;

/** More in one go keeps others waiting noticeably. */
const turnMs = 20;

/**
 * Keeps one peer from having the event loop for itself: 700 bytes of zstd can be 8 MB of JSON, 60 ms of work, and a
 * thousand such messages are sent in no time. Without it four peers kept a server from answering for a minute.
 */
export class MessageBudget {
  readonly #clock: Clock;
  #leftMs = burstMs;
  #filledAtMs: number;
  #turnMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#filledAtMs = clock.monotonicMs();
  }

  /** Does the work and counts its time. */
  run<Result>(work: () => Result): Result {
    const startMs = this.#clock.monotonicMs();
    try {
      return work();
    } finally {
      const tookMs = this.#clock.monotonicMs() - startMs;
      this.#leftMs -= tookMs;
      this.#turnMs += tookMs;
    }
  }

  /** Called between two messages: 0 means go on, anything else is the delay after which the next turn begins. */
  delayMs(): number {
    if (this.#turnMs < turnMs) return 0;
    this.#turnMs = 0;
    const nowMs = this.#clock.monotonicMs();
    this.#leftMs = Math.min(burstMs, this.#leftMs + (nowMs - this.#filledAtMs) * share);
    this.#filledAtMs = nowMs;
    return Math.max(1, Math.ceil(-this.#leftMs / share));
  }
}
