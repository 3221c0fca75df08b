import { setImmediate } from "node:timers/promises";

/** Longer stretches would make 64 other jobs wait. */
const stretchMs = 4;

/** Keeps synchronous work from holding the event loop: `if (pace.due()) await pace.pause()` between its steps. */
export class Pace {
  #startedMs = performance.now();

  due(): boolean {
    return performance.now() - this.#startedMs > stretchMs;
  }

  async pause(): Promise<void> {
    await setImmediate();
    this.#startedMs = performance.now();
  }
}
