import type { Clock } from "@homcc/observability/clock";
import type { Timers } from "./timers.ts";

/** Whoever depends on a connection that may have died without a word. */
export interface SilenceListener {
  /** Nothing came back in the time in which something had to, nor anything else since then, by the monotonic clock. */
  doubted(silentSinceMs: number): void;
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
  /** Of `sentBytes` those that the kernel has. */
  readonly handedBytes: () => number;
  /** What the link takes in a second, as measured; `undefined` before. */
  readonly sendRate: () => number | undefined;
  /** Whether something waits to be sent: a peer that has no room for it answers no ping either. */
  readonly isSending: () => boolean;
  /** An abandoned connection stayed silent. */
  readonly dead: (silentMs: number) => void;
}

/** A new stream on a connection that was silent for this long asks for a sign of life; in a running build none is. */
const quietMs = 1_000;

/**
 * While streams are open one is asked for after this silence, and its absence is borne for as long again: a compiler that works says
 * nothing, so that a ping in two seconds is all there is. Of the five seconds that a line without packets may cost a build these are
 * three, and four losses of one segment in a row are over before.
 */
const vigilQuietMs = 1_500;
const vigilSilentMs = 3_000;

/** Who is told of a link that was not measured expects the slowest that anybody compiles through, 0.5 Mbit/s. */
const slowestBytesPerSecond = 64_000;

/** A connection whose successor is up has so long: the server lives, and answers pings at once on a way that leads there. */
const replacedSilentMs = 4_000;

/**
 * How long an answer may take: three round trips, and at least what an event loop that is busy on either side may cost.
 * With the second that the next dial is waited for, a first compile after a change of networks is 1.6 s late.
 */
const minAnswerMs = 600;
const answerRoundTrips = 3;

/** What was sent since the peer spoke may be before the ping in the queue; an uplink of 4 Mbit/s takes it along. */
const uplinkBytesPerMs = 500;

/**
 * Finds out whether a connection still leads anywhere: when a stream opens on it, and while some are open. A stream does not wait
 * for that, it takes its chance along with the ping.
 */
export class SilenceProbe {
  readonly #options: SilenceProbeOptions;
  #listener: SilenceListener | undefined;
  #state: "trusted" | "asked" | "doubted" = "trusted";
  #lastReceivedMs: number;
  /** Of the silence that counts: nobody has to speak before a stream opens. */
  #silentSinceMs: number;
  #sentBytesThen: number;
  #handedBytesThen: number;
  #askedMs = 0;
  /** Before that nobody has to have answered. */
  #dueMs = 0;
  #isBusy = false;
  #cancelTimer: () => void = () => {};
  #cancelVigil: () => void = () => {};
  #cancelDeath: () => void = () => {};

  constructor(options: SilenceProbeOptions) {
    this.#options = options;
    this.#lastReceivedMs = options.clock.monotonicMs();
    this.#silentSinceMs = this.#lastReceivedMs;
    this.#sentBytesThen = options.sentBytes();
    this.#handedBytesThen = options.handedBytes();
  }

  listen(listener: SilenceListener): void {
    this.#listener = listener;
    if (this.#isBusy) this.#keepVigil();
  }

  /** The first stream opened, or the last one closed. */
  setBusy(isBusy: boolean): void {
    if (isBusy === this.#isBusy) return;
    this.#isBusy = isBusy;
    this.#cancelVigil();
    if (!isBusy) return;
    this.#silentSinceMs = this.#options.clock.monotonicMs();
    if (this.#listener !== undefined) this.#keepVigil();
  }

  received(): void {
    this.#lastReceivedMs = this.#options.clock.monotonicMs();
    this.#silentSinceMs = this.#lastReceivedMs;
    this.#sentBytesThen = this.#options.sentBytes();
    this.#handedBytesThen = this.#options.handedBytes();
    if (this.#state === "trusted") return;
    this.#cancelDeath();
    this.#cancelTimer();
    const wasDoubted = this.#state === "doubted";
    this.#state = "trusted";
    if (wasDoubted) this.#listener?.trusted();
  }

  /** A stream opens, to which the peer has to say something. */
  streamOpened(): void {
    if (this.#listener === undefined || this.#state === "doubted" || !this.#options.isReading()) return;
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs - this.#lastReceivedMs < quietMs) return;
    if (this.#state === "trusted") {
      this.#ask(nowMs);
      return;
    }
    this.#dueMs = Math.min(this.#dueMs, nowMs);
    this.#cancelTimer();
    this.#wait();
  }

  /**
   * The doubted connection lost its case: its successor is up, or nothing of the peer's machine answers any more. It is dead unless the
   * peer speaks before what is on its way to it must have arrived; a machine that answers elsewhere has some time of its own.
   */
  abandon(why: "replaced" | "unreachable"): void {
    const { clock, timers, handedBytes, sendRate } = this.#options;
    const underWayBytes = handedBytes() - this.#handedBytesThen;
    const underWayMs = (underWayBytes * 1000) / (sendRate() ?? slowestBytesPerSecond);
    const ownMs = why === "replaced" ? replacedSilentMs : 0;
    const leftMs = this.#silentSinceMs + ownMs + underWayMs - clock.monotonicMs();
    this.#cancelDeath();
    this.#cancelDeath = timers.after(Math.max(0, leftMs), () => {
      this.#cancelDeath = timers.after(0, () => {
        const { isReading, isSending, dead } = this.#options;
        if (!isReading() || (why === "replaced" && isSending())) return;
        dead(clock.monotonicMs() - this.#silentSinceMs);
      });
    });
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
    this.#cancelVigil();
    this.#cancelDeath();
  }

  /** One timer for all that comes meanwhile: it looks again where it is early. */
  #keepVigil(): void {
    const { clock, timers, isReading } = this.#options;
    const leftMs = this.#silentSinceMs + vigilQuietMs - clock.monotonicMs();
    this.#cancelVigil = timers.after(leftMs > 0 ? leftMs : vigilQuietMs, () => {
      const isSilent = clock.monotonicMs() - this.#silentSinceMs >= vigilQuietMs;
      if (isSilent && this.#state === "trusted" && isReading())
        this.#ask(this.#silentSinceMs + vigilSilentMs);
      this.#keepVigil();
    });
  }

  #ask(dueMs: number): void {
    this.#state = "asked";
    this.#askedMs = this.#options.clock.monotonicMs();
    this.#dueMs = dueMs;
    this.#options.ping();
    this.#wait();
  }

  get #judgedMs(): number {
    return Math.max(this.#dueMs, this.#askedMs + this.#answerMs());
  }

  #wait(): void {
    const { clock, timers } = this.#options;
    const leftMs = this.#judgedMs - clock.monotonicMs();
    this.#cancelTimer = timers.after(Math.max(0, leftMs), () => {
      // Between two turns of the event loop the sockets are read: a process that was stopped, or busy, hears what
      // came meanwhile before it judges.
      this.#cancelTimer = timers.after(0, () => this.#judge());
    });
  }

  #judge(): void {
    if (!this.#options.isReading()) this.#state = "trusted";
    else if (this.#options.clock.monotonicMs() < this.#judgedMs) this.#wait();
    else this.#becomeDoubted();
  }

  #becomeDoubted(): void {
    this.#state = "doubted";
    this.#listener?.doubted(this.#silentSinceMs);
  }

  #answerMs(): number {
    const { roundTripMs, sentBytes } = this.#options;
    const queueMs = (sentBytes() - this.#sentBytesThen) / uplinkBytesPerMs;
    return Math.max(minAnswerMs, answerRoundTrips * (roundTripMs() ?? 0)) + queueMs;
  }
}
