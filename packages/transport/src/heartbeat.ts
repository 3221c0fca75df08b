import type { Clock } from "@homcc/observability/clock";
import type { Timers } from "./timers.ts";

/**
 * A ping leaves when nothing else left for this long: well below the 30 s after which cheap routers forget an idle
 * connection, and 70 bytes every 5 s are nothing on any link.
 */
export const pingIntervalMs = 5_000;

/**
 * A peer that sent nothing for this long is gone; the user waits for the fallback meanwhile. Four pings, and five of
 * TCP's doubling retransmissions (0.2 + 0.4 + … + 6.4 s = 12.6 s), fit into it: a Wi-Fi roam does not end a build.
 */
export const deadAfterMs = 20_000;

export interface HeartbeatOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly pingIntervalMs: number;
  readonly deadAfterMs: number;
  /** False while this end does not read, so that silence means nothing. */
  readonly isReading: () => boolean;
  readonly ping: () => void;
  readonly dead: (silentMs: number) => void;
}

/** Sends pings and notices silence. Both ends ping, so that each hears of the other whoever has work to do. */
export class Heartbeat {
  readonly #options: HeartbeatOptions;
  #lastSentMs: number;
  #lastReceivedMs: number;
  #lastCheckMs: number;
  #cancelTimer: () => void;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
    const nowMs = options.clock.monotonicMs();
    this.#lastSentMs = nowMs;
    this.#lastReceivedMs = nowMs;
    this.#lastCheckMs = nowMs;
    this.#cancelTimer = this.#schedule();
  }

  sent(): void {
    this.#lastSentMs = this.#options.clock.monotonicMs();
  }

  received(): void {
    this.#lastReceivedMs = this.#options.clock.monotonicMs();
  }

  stop(): void {
    this.#cancelTimer();
  }

  #schedule(): () => void {
    return this.#options.timers.after(this.#options.pingIntervalMs, () => this.#check());
  }

  #check(): void {
    const { clock, isReading, ping, dead } = this.#options;
    const nowMs = clock.monotonicMs();
    // A process that was stopped has bytes of its peer waiting: the time it did not look does not count.
    const lateMs = Math.max(0, nowMs - this.#lastCheckMs - this.#options.pingIntervalMs);
    this.#lastReceivedMs = isReading() ? Math.min(nowMs, this.#lastReceivedMs + lateMs) : nowMs;
    this.#lastCheckMs = nowMs;
    const silentMs = nowMs - this.#lastReceivedMs;
    if (silentMs >= this.#options.deadAfterMs) {
      dead(silentMs);
      return;
    }
    if (nowMs - this.#lastSentMs >= this.#options.pingIntervalMs) ping();
    this.#cancelTimer = this.#schedule();
  }
}
