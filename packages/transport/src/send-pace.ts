import type { Clock } from "@homcc/observability/clock";

export interface SendPaceOptions {
  readonly clock: Clock;
  /** Of the handshake, where this end measured it. */
  readonly roundTripMs?: number;
  /** What this connection may take of the uplink, whatever the link would carry; `undefined` when nobody has set that. */
  readonly limitBytesPerSecond?: () => number | undefined;
}

/** A ping behind the bytes sent so far: its pong says that the peer has read them. */
interface Mark {
  readonly token: number;
  readonly atMs: number;
  readonly sentBytes: number;
  /** What the peer was known to have, and since when, when the mark was sent. */
  readonly deliveredBytes: number;
  readonly deliveredAtMs: number;
}

/** From the answer of one mark to that of the next which was sent after it. */
interface Round {
  readonly startedMs: number;
  readonly deliveredBytes: number;
  minRoundTripMs: number;
  /** Best rate of a mark's own round trip. */
  bestRate: number;
}

/** `opening`: doubling until a queue is seen · `steady`: following it. */
type Phase = "opening" | "steady";

/** Sent into an unknown link at once: 26 ms of 5 Mbit/s, and more than a warm job needs. */
const openingBytes = 16 << 10;

/**
 * The queue that is aimed at: enough that the link never idles (99 % of 5 Mbit/s), and with the pieces on top of it half of
 * the 30 ms that a ping beside a build may lose. With 6 ms a busy machine sent 76 to 87 %.
 */
const targetQueueMs = 10;
/** The opening ends at a queue that is more than the noise of two event loops. */
const fullQueueMs = 14;

/** What is sent in one go, in time of the link. */
const pieceMs = 4;
const minPieceBytes = 1400;
const maxPieceBytes = 128 << 10;
/** A mark costs 16 bytes each way. */
const minMarkBytes = 2 * minPieceBytes;
/** What an event loop that was late may send at once, and from which rate on a queue of that is nobody's concern. */
const catchUpMs = 30;
const fastBytesPerMs = 8_000;
const fastCatchUpMs = 100;

/** Bytes that a peer which is busy may leave unanswered, beyond what is on the wire. */
const slackMs = 50;
const openingSlackMs = 10;
/** A mark whose pong was lost among others is repeated. */
const askAgainMs = 250;

/** So long a round looks at what is sent; the shortest of its round trips is its queue, and a busy peer is not. */
const sampleMs = 25;
/** The bare round trip is looked for that often, by a round of less than the link carries: 0.2 % of it. */
const drainEveryMs = 5_000;
const drainShare = 0.6;
const baseWindowMs = 15_000;
const bestWindowMs = 3_000;

/** Others who fill the queue do not push the connection out at once; after `baseWindowMs` their queue counts as distance. */
const floorShare = 0.25;
const minBytesPerMs = 8;

/** The first answers of a busy machine come late, and of so many in a row one does not: before that nobody is called far. */
const believedRoundTrips = 8;

/** Of a busy server on this machine the greeting took 4 to 14 ms, the pings of its first jobs up to 76. */
const likelyRoundTrips = 3;

/** A round trip that no home uplink has: it leads through a LAN or stays on the machine, where late pongs mean a busy peer. */
const nearRoundTripMs = 4;

/** Either, before a rate is believed: the first rounds are the sender's own caution, or a peer that had to start. */
const believedBytes = 256 << 10;
const believedMs = 400;

/** A queue that differs from what is aimed at is corrected over so many rounds: in one it would swing. */
const correctionRounds = 2;

/** Growth after that many rounds without any queue: a link that carries four times as much is found within ten. */
const growth = [0, 0, 0, 0.1, 0.15, 0.25, 0.5] as const;

/**
 * How fast one end of a connection sends, so that the queue before the narrowest link stays short: from the round trips of its own
 * pings, as LEDBAT and BBR do from acknowledgements. Knows no socket and no timer.
 */
export class SendPace {
  readonly #clock: Clock;
  readonly #limit: () => number | undefined;
  readonly #base: Extreme;
  readonly #best: Extreme;
  #phase: Phase = "opening";
  #rate: number;
  #credit: number;
  #creditAtMs: number;
  #sentBytes = 0;
  #deliveredBytes = 0;
  #deliveredAtMs: number;
  #marks: Mark[] = [];
  #round: Round | undefined;
  #emptyRounds = 0;
  #idleAtMs = -Infinity;
  #drainedAtMs: number;
  /** A round that empties the queue; what the link carried in the round after it says nothing either. */
  #drain: { readonly rateAfter: number; readonly isOver: boolean } | undefined;
  #measured: number | undefined;
  /** Sent in rounds that the link had no pause in, and how long they were. */
  #fullBytes = 0;
  #fullMs = 0;
  #isNear = false;
  #roundTrips = 0;

  constructor(options: SendPaceOptions) {
    this.#clock = options.clock;
    this.#limit = options.limitBytesPerSecond ?? (() => undefined);
    this.#base = new Extreme(options.clock, baseWindowMs, Math.min);
    this.#best = new Extreme(options.clock, bestWindowMs, Math.max);
    if (options.roundTripMs !== undefined) this.#noteRoundTrip(options.roundTripMs);
    this.#rate = openingBytes / Math.max(1, options.roundTripMs ?? slackMs);
    this.#credit = openingBytes;
    const nowMs = options.clock.monotonicMs();
    this.#creditAtMs = nowMs;
    this.#deliveredAtMs = nowMs;
    this.#drainedAtMs = nowMs;
  }

  /** A round trip below 4 ms was seen: such a link is neither paced nor measured, only `limitBytesPerSecond` holds there. */
  get isNear(): boolean {
    return this.#isNear;
  }

  /** What the link carried at best lately when there was more to send than it took; `undefined` before that. */
  get bytesPerSecond(): number | undefined {
    const best = this.#best.value;
    if (best === undefined || this.#isNear) return undefined;
    return this.#fullBytes >= believedBytes || this.#fullMs >= believedMs ? best * 1000 : undefined;
  }

  /** Round trip without a queue, of the last quarter of a minute. */
  get roundTripMs(): number | undefined {
    return this.#base.value;
  }

  /** Whether more round trips have to be seen before `distanceMs` is known. */
  get wantsRoundTrip(): boolean {
    return !this.#isNear && this.#roundTrips < believedRoundTrips;
  }

  /** As `roundTripMs`; `undefined` while few were seen. */
  get distanceMs(): number | undefined {
    return this.wantsRoundTrip ? undefined : this.roundTripMs;
  }

  /** The same after fewer: for a guess that costs little where it is wrong. */
  get likelyDistanceMs(): number | undefined {
    return this.#isNear || this.#roundTrips >= likelyRoundTrips ? this.roundTripMs : undefined;
  }

  /** How much may be one frame: what is urgent waits for no more. */
  get pieceBytes(): number {
    if (this.#isFree()) return Infinity;
    return Math.round(Math.min(maxPieceBytes, Math.max(minPieceBytes, this.#limited() * pieceMs)));
  }

  /** Whether something may be sent now. */
  get isOpen(): boolean {
    if (this.#isFree()) return true;
    this.#refill();
    return this.#credit > 0 && (this.#isNear || !this.#isWindowFull());
  }

  /** When to ask again, if no pong comes before. */
  get delayMs(): number {
    this.#refill();
    if (this.#credit > 0) return askAgainMs + 2 * (this.roundTripMs ?? 0);
    return Math.max(1, Math.ceil((this.pieceBytes / 2 - this.#credit) / this.#limited()));
  }

  /** Whether a ping is due: behind so many bytes, or because nothing else may be sent before its pong. */
  get wantsMark(): boolean {
    if (this.#isNear) return false;
    const unmarked = this.#sentBytes - (this.#marks.at(-1)?.sentBytes ?? this.#deliveredBytes);
    if (unmarked >= Math.max(minMarkBytes, this.pieceBytes)) return true;
    const newestMs = this.#marks.at(-1)?.atMs ?? this.#deliveredAtMs;
    return this.#isWindowFull() && this.#clock.monotonicMs() - newestMs >= askAgainMs;
  }

  sent(bytes: number): void {
    if (!this.#isFree()) {
      this.#refill();
      this.#credit -= bytes;
    }
    if (this.#sentBytes === this.#deliveredBytes || this.#marks.length === 0)
      this.#deliveredAtMs = this.#clock.monotonicMs();
    this.#sentBytes += bytes;
  }

  marked(token: number): void {
    this.#marks.push({
      token,
      atMs: this.#clock.monotonicMs(),
      sentBytes: this.#sentBytes,
      deliveredBytes: this.#deliveredBytes,
      deliveredAtMs: this.#deliveredAtMs,
    });
  }

  /** A pong. Gives the round trip, if it is one that was waited for. */
  answered(token: number): number | undefined {
    const index = this.#marks.findIndex((mark) => mark.token === token);
    const mark = this.#marks[index];
    if (mark === undefined) return undefined;
    this.#marks.splice(0, index + 1);
    const nowMs = this.#clock.monotonicMs();
    const roundTripMs = nowMs - mark.atMs;
    this.#noteRoundTrip(roundTripMs);
    this.#deliveredBytes = mark.sentBytes;
    this.#deliveredAtMs = nowMs;
    if (!this.#isNear) this.#observe(mark, roundTripMs, nowMs);
    return roundTripMs;
  }

  /** Nothing waits to be sent: what is delivered meanwhile is the sender's rate, not the link's. */
  idle(): void {
    this.#idleAtMs = this.#clock.monotonicMs();
  }

  #noteRoundTrip(roundTripMs: number): void {
    this.#base.add(roundTripMs);
    this.#roundTrips += 1;
    this.#isNear ||= roundTripMs < nearRoundTripMs;
  }

  /** Nothing holds the sender up but the socket. */
  #isFree(): boolean {
    return this.#isNear && this.#limit() === undefined;
  }

  #observe(mark: Mark, roundTripMs: number, nowMs: number): void {
    const round = (this.#round ??= this.#newRound(mark.atMs));
    // Older ones tell of what was sent at the rate before.
    if (mark.atMs < round.startedMs) return;
    round.minRoundTripMs = Math.min(round.minRoundTripMs, roundTripMs);
    round.bestRate = Math.max(
      round.bestRate,
      (mark.sentBytes - mark.deliveredBytes) / Math.max(0.1, nowMs - mark.deliveredAtMs),
    );
    if (this.#phase !== "opening" && mark.atMs - round.startedMs < sampleMs) return;
    const wasIdle = this.#idleAtMs >= Math.min(round.startedMs, mark.deliveredAtMs);
    this.#judge(round, wasIdle, nowMs);
    this.#round = this.#newRound(nowMs);
  }

  #newRound(nowMs: number): Round {
    return {
      startedMs: nowMs,
      deliveredBytes: this.#deliveredBytes,
      minRoundTripMs: Infinity,
      bestRate: 0,
    };
  }

  #judge(round: Round, wasIdle: boolean, nowMs: number): void {
    const queueMs = Math.max(0, round.minRoundTripMs - this.#ownMs() - (this.roundTripMs ?? 0));
    const average = (this.#deliveredBytes - round.deliveredBytes) / Math.max(0.1, nowMs - round.startedMs);
    if (this.#drain !== undefined) {
      this.#rate = this.#drain.rateAfter;
      this.#drain = this.#drain.isOver ? undefined : { ...this.#drain, isOver: true };
      return;
    }
    if (this.#phase === "opening") {
      if (queueMs > fullQueueMs) {
        this.#phase = "steady";
        this.#follow(round.bestRate, queueMs);
      } else if (!wasIdle) this.#rate = Math.max(this.#rate, 2 * round.bestRate);
      return;
    }
    if (wasIdle || average === 0) return;
    this.#fullBytes += this.#deliveredBytes - round.deliveredBytes;
    this.#fullMs += nowMs - round.startedMs;
    this.#best.add(average);
    this.#measured = average;
    this.#follow(average, queueMs);
    if (nowMs - this.#drainedAtMs < drainEveryMs) return;
    this.#drainedAtMs = nowMs;
    this.#drain = { rateAfter: this.#rate, isOver: false };
    this.#rate *= drainShare;
  }

  /** `rate` is what the link carried while its queue was `queueMs`. */
  #follow(rate: number, queueMs: number): void {
    const roundMs = (this.roundTripMs ?? 0) + sampleMs + queueMs;
    this.#emptyRounds = queueMs < 1 ? this.#emptyRounds + 1 : 0;
    const faster = growth[Math.min(this.#emptyRounds, growth.length - 1)] ?? 0;
    const correction = (targetQueueMs - queueMs) / (correctionRounds * roundMs);
    this.#rate = rate * (1 + Math.max(-0.5, correction + faster));
    const floor = floorShare * (this.#best.value ?? 0);
    this.#rate = Math.max(minBytesPerMs, floor, this.#rate);
  }

  /** What a mark's own piece takes on the wire, as far as that is known. */
  #ownMs(): number {
    return this.#measured === undefined ? 0 : this.pieceBytes / Math.max(this.#measured, this.#rate);
  }

  #limited(): number {
    const limit = this.#limit();
    const rate = this.#isNear ? Infinity : this.#rate;
    return limit === undefined ? rate : Math.min(rate, limit / 1000);
  }

  #refill(): void {
    const nowMs = this.#clock.monotonicMs();
    const rate = this.#limited();
    const lateMs = rate > fastBytesPerMs ? fastCatchUpMs : catchUpMs;
    const most = Math.max(this.#phase === "opening" ? openingBytes : 2 * minPieceBytes, rate * lateMs);
    this.#credit = Math.min(most, this.#credit + (nowMs - this.#creditAtMs) * rate);
    this.#creditAtMs = nowMs;
  }

  #isWindowFull(): boolean {
    const inFlight = this.#sentBytes - this.#deliveredBytes;
    if (this.#round === undefined) return inFlight >= openingBytes;
    const ms = (this.roundTripMs ?? 0) + (this.#phase === "opening" ? openingSlackMs : slackMs);
    return inFlight > this.#limited() * ms + (this.#phase === "opening" ? openingBytes : 2 * minMarkBytes);
  }
}

/** The smallest or largest of the values of the last while, which is between one and two windows long. */
class Extreme {
  readonly #clock: Clock;
  readonly #windowMs: number;
  readonly #better: (a: number, b: number) => number;
  #sinceMs = -Infinity;
  #before: number | undefined;
  #now: number | undefined;

  constructor(clock: Clock, windowMs: number, better: (a: number, b: number) => number) {
    this.#clock = clock;
    this.#windowMs = windowMs;
    this.#better = better;
  }

  get value(): number | undefined {
    if (this.#before === undefined || this.#now === undefined) return this.#now ?? this.#before;
    return this.#better(this.#before, this.#now);
  }

  add(value: number): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#sinceMs >= this.#windowMs) {
      this.#before = nowMs - this.#sinceMs < 2 * this.#windowMs ? this.#now : undefined;
      this.#now = undefined;
      this.#sinceMs = nowMs;
    }
    this.#now = this.#now === undefined ? value : this.#better(this.#now, value);
  }
}
