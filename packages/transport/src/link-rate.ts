import type { Clock } from "@homcc/observability/clock";

/** What the kernel takes of a fresh burst before it waits for the network; Linux lets it grow to some megabytes. */
const bufferedBytes = 4 << 20;

/** How much of it is looked at: a link whose rate changes is believed after so much. */
const windowBytes = 8 << 20;

/**
 * Bytes per second that a link takes, seen from how fast a full socket drains. Only what it drains without a pause counts, and
 * of that not what the kernel may merely have put aside.
 */
export class LinkRate {
  readonly #clock: Clock;
  #fullSinceMs: number | undefined;
  /** Drained in this stretch, the first `bufferedBytes` of it included. */
  #stretchBytes = 0;
  #countedBytes = 0;
  #countedMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `undefined` until enough was sent in one go. */
  get bytesPerSecond(): number | undefined {
    return this.#countedMs === 0 ? undefined : (this.#countedBytes / this.#countedMs) * 1000;
  }

  /** The socket takes no more. */
  filled(): void {
    this.#fullSinceMs = this.#clock.monotonicMs();
  }

  /** It has handed over the `bytes` that it held. */
  drained(bytes: number): void {
    if (this.#fullSinceMs === undefined) return;
    const tookMs = this.#clock.monotonicMs() - this.#fullSinceMs;
    this.#fullSinceMs = undefined;
    this.#stretchBytes += bytes;
    if (this.#stretchBytes <= bufferedBytes) return;
    if (this.#countedBytes > windowBytes) {
      this.#countedBytes /= 2;
      this.#countedMs /= 2;
    }
    this.#countedBytes += bytes;
    this.#countedMs += tookMs;
  }

  /** Nothing waits to be sent any more. */
  idle(): void {
    this.#stretchBytes = 0;
  }
}
