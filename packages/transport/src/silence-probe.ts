import type { Clock } from "@homcc/observability/clock";
import type { Timers } from "./timers.ts";

/** Whoever depends on a connection that may have died without a word. */
export interface SilenceListener {
  /** Nothing came back in the time in which something had to. */
  doubted(): void;
  /** Something came after all. */
  trusted(): void;
}

export interface SilenceProbeOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly ping: () => void;
  /** False while this end does not read, so that silence means nothing. */
  readonly isReading: () => boolean;
  /** The latest measured one; `undefined` before any. */
  readonly roundTripMs: () => number | undefined;
  readonly sentBytes: () => number;
}

/** A new stream on a connection that was silent for this long asks for a sign of life; in a running build none is. */
const quietMs = 1_000;

/**
 * How long an answer may take: three round trips, and at least what an event loop that is busy on either side may cost.
 * With the second that the next dial is waited for, a first compile after a change of networks is 1.6 s late.
 */
const minAnswerMs = 600;
const answerRoundTrips = 3;

/** What was sent since the peer spoke may be before the ping in the queue; an uplink of 4 Mbit/s takes it along. */
const uplinkBytesPerMs = 500;

/**
 * Finds out whether a connection still leads anywhere when a stream opens on it. The stream does not wait for that: it
 * takes its chance along with the ping.
 */
export class SilenceProbe {
  readonly #options: SilenceProbeOptions;
  #listener: SilenceListener | undefined;
  #state: "trusted" | "asked" | "doubted" = "trusted";
  #lastReceivedMs: number;
  #sentBytesThen: number;
  #askedMs = 0;
  #cancelTimer: () => void = () => {};

  constructor(options: SilenceProbeOptions) {
    this.#options = options;
    this.#lastReceivedMs = options.clock.monotonicMs();
    this.#sentBytesThen = options.sentBytes();
  }

  listen(listener: SilenceListener): void {
    this.#listener = listener;
  }

  received(): void {
    this.#lastReceivedMs = this.#options.clock.monotonicMs();
    this.#sentBytesThen = this.#options.sentBytes();
    if (this.#state === "trusted") return;
    this.#cancelTimer();
    const wasDoubted = this.#state === "doubted";
    this.#state = "trusted";
    if (wasDoubted) this.#listener?.trusted();
  }

  /** A stream opens, to which the peer has to say something. */
  streamOpened(): void {
    if (this.#listener === undefined || this.#state !== "trusted" || !this.#options.isReading()) return;
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs - this.#lastReceivedMs < quietMs) return;
    this.#state = "asked";
    this.#askedMs = nowMs;
    this.#options.ping();
    this.#wait();
  }

  /** There is another reason to think that it leads nowhere, such as a machine that slept. */
  doubt(): void {
    if (this.#state === "doubted") return;
    this.#cancelTimer();
    this.#options.ping();
    this.#becomeDoubted();
  }

  stop(): void {
    this.#listener = undefined;
    this.#cancelTimer();
  }

  #wait(): void {
    const { clock, timers } = this.#options;
    const leftMs = this.#askedMs + this.#answerMs() - clock.monotonicMs();
    this.#cancelTimer = timers.after(Math.max(0, leftMs), () => {
      // Between two turns of the event loop the sockets are read: a process that was stopped, or busy, hears what
      // came meanwhile before it judges.
      this.#cancelTimer = timers.after(0, () => this.#judge());
    });
  }

  #judge(): void {
    if (!this.#options.isReading()) this.#state = "trusted";
    else if (this.#options.clock.monotonicMs() - this.#askedMs < this.#answerMs()) this.#wait();
    else this.#becomeDoubted();
  }

  #becomeDoubted(): void {
    this.#state = "doubted";
    this.#listener?.doubted();
  }

  #answerMs(): number {
    const { roundTripMs, sentBytes } = this.#options;
    const queueMs = (sentBytes() - this.#sentBytesThen) / uplinkBytesPerMs;
    return Math.max(minAnswerMs, answerRoundTrips * (roundTripMs() ?? 0)) + queueMs;
  }
}
