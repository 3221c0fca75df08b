import { type Clock, systemClock } from "@homcc/observability/clock";
import { systemTimers, type Timers } from "@homcc/transport/timers";

/** Injected, so that tests decide what time it is. */
export interface Time {
  readonly clock: Clock;
  readonly timers: Timers;
}

export const systemTime: Time = { clock: systemClock, timers: systemTimers };

/** 32 kbit/s: a result that comes slower than by a modem does not come. */
const slowestBytesPerMs = 4;

/**
 * The time limit of one job on one server, as a signal that is aborted with the caller's too. It starts anew whenever
 * bytes of the job move: a slow link is no server that hangs. Disposed with the job, it leaves no timer behind.
 */
export class ProgressDeadline implements Disposable {
  readonly #timeoutMs: number;
  readonly #outer: AbortSignal;
  readonly #time: Time;
  readonly #controller = new AbortController();
  #movedAtMs: number;
  #isOver = false;
  #stopTimer: () => void = () => {};

  constructor(timeoutMs: number, outer: AbortSignal, time: Time = systemTime) {
    this.#timeoutMs = timeoutMs;
    this.#outer = outer;
    this.#time = time;
    this.#movedAtMs = time.clock.monotonicMs();
    if (outer.aborted) {
      this.#follow();
      return;
    }
    outer.addEventListener("abort", this.#follow, { once: true });
    this.#arm(timeoutMs);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The time is over, and the caller had not given up before. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /**
   * Bytes of the job moved. Called for each piece of each blob that is sent: the timer is left alone until it fires. What is received
   * counts by its length: a server that sends a byte now and then does not keep a job for days.
   */
  moved(receivedBytes = Infinity): void {
    const nowMs = this.#time.clock.monotonicMs();
    this.#movedAtMs = Math.min(nowMs, this.#movedAtMs + receivedBytes / slowestBytesPerMs);
  }

  [Symbol.dispose](): void {
    this.#stopTimer();
    this.#outer.removeEventListener("abort", this.#follow);
  }

  readonly #follow = (): void => {
    this.#stopTimer();
    this.#controller.abort(this.#outer.reason);
  };

  #arm(delayMs: number): void {
    this.#stopTimer = this.#time.timers.after(delayMs, () => {
      const leftMs = this.#movedAtMs + this.#timeoutMs - this.#time.clock.monotonicMs();
      if (leftMs > 0) {
        this.#arm(leftMs);
        return;
      }
      this.#isOver = true;
      this.#outer.removeEventListener("abort", this.#follow);
      this.#controller.abort(new Error(`nothing moved for ${this.#timeoutMs} ms`));
    });
  }
}
