import type { Clock } from "@homcc/observability/clock";

/** What happened before says little of the link as it is now. */
const windowMs = 30_000;

/** How fast a long upload goes, from its last half minute. */
export class UploadRate {
  readonly #clock: Clock;
  readonly #moves: { readonly atMs: number; readonly bytes: number }[] = [];
  #beganMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Nothing was to be sent until now. */
  began(): void {
    this.#moves.length = 0;
    this.#beganMs = this.#clock.monotonicMs();
  }

  moved(bytes: number): void {
    const atMs = this.#clock.monotonicMs();
    this.#moves.push({ atMs, bytes });
    while ((this.#moves[0]?.atMs ?? atMs) < atMs - windowMs) {
      const gone = this.#moves.shift();
      this.#beganMs = gone?.atMs ?? this.#beganMs;
    }
  }

  /** `undefined` before anything has moved. */
  get bytesPerMs(): number | undefined {
    const spentMs = this.#clock.monotonicMs() - this.#beganMs;
    const bytes = this.#moves.reduce((sum, move) => sum + move.bytes, 0);
    return bytes === 0 || spentMs <= 0 ? undefined : bytes / spentMs;
  }
}
