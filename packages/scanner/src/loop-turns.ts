/** Of one turn of the event loop, for all scans together; a stretch of one scan is as long. */
export const turnMs = 4;

/**
 * Lets stretches of work follow one another in small turns of the event loop. Without it 200 scans that wait for the
 * same answer of a compiler go on in the same turn, each for its own 4 ms.
 */
export class LoopTurns {
  readonly #waiting: (() => void)[] = [];
  #spentMs = 0;
  #isTaken = false;
  #isScheduled = false;

  /** Resolves when the caller may work; whoever took a turn has to `spend`. */
  async take(): Promise<void> {
    if (!this.#isTaken && this.#waiting.length === 0 && this.#spentMs < turnMs) {
      this.#isTaken = true;
      return;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push(resolve);
    this.#schedule();
    await promise;
  }

  /** For how long the one that had taken its turn has worked. */
  spend(ms: number): void {
    this.#spentMs += ms;
    this.#isTaken = false;
    if (this.#spentMs < turnMs) this.#passOn();
    this.#schedule();
  }

  #passOn(): void {
    const next = this.#isTaken ? undefined : this.#waiting.shift();
    if (next === undefined) return;
    this.#isTaken = true;
    next();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#spentMs = 0;
      this.#passOn();
      if (this.#waiting.length > 0) this.#schedule();
    });
  }
}
