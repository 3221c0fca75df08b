import type { Clock } from "@homcc/observability/clock";
import type { Timers } from "./timers.ts";

/** How often an end speaks at least, and how long a silent peer is believed to live. */
export interface Pace {
  readonly pingIntervalMs: number;
  readonly deadAfterMs: number;
}

/**
 * While streams are open. A peer that sent nothing for 20 s is gone, whatever else answers; the agent tries a second connection long
 * before that (`SilenceProbe`). Four pings, and five of TCP's doubling retransmissions (0.2 + 0.4 + … + 6.4 s = 12.6 s), fit into it:
 * a Wi-Fi roam does not end a server's jobs. 70 bytes every 5 s are nothing on any link.
 */
export const busyPace: Pace = { pingIntervalMs: 5_000, deadAfterMs: 20_000 };

/**
 * Of a server whose client has no streams open: it keeps a session for it. The client answers pings without a timer of
 * its own, and wakes up once a minute for that.
 */
export const idleServerPace: Pace = { pingIntervalMs: 60_000, deadAfterMs: 180_000 };

export interface HeartbeatOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly busy: Pace;
  /** `undefined`: no timer runs while no stream is open; the kernel's keep-alive holds the path open. */
  readonly idle: Pace | undefined;
  /** False while this end does not read, so that silence means nothing. */
  readonly isReading: () => boolean;
  /** Called at every look at the time, whoever speaks. */
  readonly checked?: () => void;
  readonly ping: () => void;
  readonly dead: (silentMs: number) => void;
}

/** Sends pings and notices silence. Both ends ping, so that each hears of the other whoever has work to do. */
export class Heartbeat {
  readonly #options: HeartbeatOptions;
  #pace: Pace | undefined;
  #lastSentMs: number;
  #silentSinceMs: number;
  #lastCheckMs: number;
  #cancelTimer: () => void = () => {};
  #isStopped = false;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
    const nowMs = options.clock.monotonicMs();
    this.#lastSentMs = nowMs;
    this.#silentSinceMs = nowMs;
    this.#lastCheckMs = nowMs;
    this.#pace = options.idle;
    this.#schedule();
  }

  /** The first stream opened, or the last one closed. */
  setBusy(isBusy: boolean): void {
    const pace = isBusy ? this.#options.busy : this.#options.idle;
    if (pace === this.#pace || this.#isStopped) return;
    this.#pace = pace;
    // Nobody had promised to speak at this pace until now.
    this.#silentSinceMs = this.#options.clock.monotonicMs();
    this.#lastCheckMs = this.#silentSinceMs;
    this.#cancelTimer();
    this.#schedule();
  }

  sent(): void {
    this.#lastSentMs = this.#options.clock.monotonicMs();
  }

  received(): void {
    this.#silentSinceMs = this.#options.clock.monotonicMs();
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelTimer();
  }

  #schedule(): void {
    const pace = this.#pace;
    if (pace === undefined) return;
    this.#cancelTimer = this.#options.timers.after(pace.pingIntervalMs, () => this.#check(pace));
  }

  #check({ pingIntervalMs, deadAfterMs }: Pace): void {
    const { clock, isReading, ping, dead } = this.#options;
    const nowMs = clock.monotonicMs();
    // A process that was stopped has bytes of its peer waiting: the time it did not look does not count.
    const lateMs = Math.max(0, nowMs - this.#lastCheckMs - pingIntervalMs);
    this.#silentSinceMs = isReading() ? Math.min(nowMs, this.#silentSinceMs + lateMs) : nowMs;
    this.#lastCheckMs = nowMs;
    const silentMs = nowMs - this.#silentSinceMs;
    if (silentMs >= deadAfterMs) {
      dead(silentMs);
      return;
    }
    this.#options.checked?.();
    if (this.#isStopped) return;
    if (nowMs - this.#lastSentMs >= pingIntervalMs) ping();
    this.#schedule();
  }
}
