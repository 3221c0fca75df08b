import { HomccError } from "@homcc/observability/error";
import { systemClock, type Clock } from "@homcc/observability/clock";
import { hostIdOf, type HostAddress } from "./host.ts";
import type { Readiness } from "./placement.ts";
import { systemTimers, type Timers } from "./timers.ts";

/** What is known about one server. Times are of the monotonic clock. */
export type HostState<Connection> =
  /** Presumed reachable: not tried yet, or its last connection ended and nobody has needed another since. */
  | { readonly kind: "untried" }
  /** Being dialled, and jobs wait for it. */
  | { readonly kind: "connecting"; readonly sinceMs: number }
  /** Being dialled without a sign of life for `patienceMs`: jobs do not wait, the dial goes on to its own time limit. */
  | { readonly kind: "overdue"; readonly sinceMs: number }
  | { readonly kind: "healthy"; readonly connection: Connection }
  /** The last dial failed. A probe in the background tries again at `retryAtMs`; jobs do not wait for it. */
  | { readonly kind: "dead"; readonly sinceMs: number; readonly retryAtMs: number; readonly reason: unknown }
  /** Dead without an answer, and nobody has wanted it for `restAfterMs`: no timer runs, the next job starts a probe. */
  | { readonly kind: "resting"; readonly reason: unknown }
  | { readonly kind: "closed" };

/** What a dial has met: a name that was resolved or a program that was started, or the server's machine, which accepted. */
export type SignOfLife = "started" | "accepted";

export interface HostHealthOptions<Connection> {
  readonly host: HostAddress;
  /**
   * Opens a connection to it, hello included. It must end by itself, by a time limit of its own: it is never called
   * again before it has, so a server that swallows packets costs one pending connect. Calls `alive` at each sign that
   * somebody is there.
   */
  readonly dial: (signal: AbortSignal, alive: (sign: SignOfLife) => void) => Promise<Connection>;
  /** Frees a connection that nobody needs: it came up after `close`, or after the doubted one had answered. */
  readonly discard?: (connection: Connection) => void;
  /**
   * A doubted connection lost its case: its successor is up, or (`undefined`) does not come up in time. Called before the
   * state changes; the second case may be followed by the first.
   */
  readonly onGivenUp?: (connection: Connection, successor: Connection | undefined) => void;
  /** A doubted connection is dead: it was silent for `deadSilenceMs`, and nothing accepts another. Its owner ends it and tells `lost`. */
  readonly onDead?: (connection: Connection) => void;
  /** Called after every change of state, for placement and the log. */
  readonly onChange?: (state: HostState<Connection>) => void;
  readonly clock?: Clock;
  readonly timers?: Timers;
}

/**
 * How long jobs wait for a dial without a sign of life. A server 300 ms away needs 300 ms to accept and 300 ms to greet,
 * each with this time of its own; three servers behind a VPN that is off cost a build this time once.
 */
export const patienceMs = 700;

/**
 * How long a server whose connection dropped is expected back: jobs wait for it unless another one has room. Beyond the half minute that
 * the server goes on with what it had begun, so that an outage of that length fails no build that may not be compiled at home.
 */
export const expectedBackMs = 45_000;

/**
 * So long all of them wait; after that it is missed, and free local cores take one job after the other. A router that starts a link
 * anew, a homccd that is replaced and an ssh tunnel that is built again mostly take less. Five seconds are the most that a fault may cost.
 */
export const missedAfterMs = 4_000;

/**
 * How long jobs wait for a server that said it restarts, from that word on and again from the end of its connection. Less than
 * after a line that dropped: this one was stopped by somebody, and is back in a second or not at all.
 */
export const returningMs = 5_000;

/**
 * A silence of this length is the line's, when no machine accepts another connection either: shorter ones are a roam, or a segment that was
 * lost three times. With the time of one dial it leaves jobs just before the server is missed.
 */
export const deadSilenceMs = 3_000;

/** Longest time between two attempts meanwhile. */
const longestExpectedRetryMs = 1_000;

/** First retry after a failed connect, doubled with each further failure. A restarted homccd is back in about 0.3 s. */
const firstRetryMs = 250;
const longestRetryMs = 10_000;

/** A dead server that no job wanted for this long is not probed any more: an idle agent has no timers. */
const restAfterMs = 60_000;

interface Attempt {
  readonly startedMs: number;
  readonly abort: AbortController;
  cancelTimer: () => void;
}

interface Doubted<Connection> {
  readonly connection: Connection;
  readonly silentSinceMs: number;
}

/** The one connection to a server: shared while it lives, dialled once at a time, probed while the server is dead. */
export class HostHealth<Connection> {
  readonly host: HostAddress;
  readonly #options: HostHealthOptions<Connection>;
  readonly #clock: Clock;
  readonly #timers: Timers;
  #state: HostState<Connection> = { kind: "untried" };
  #attempt: Attempt | undefined;
  /** Silent since a job was sent on it, while its successor is dialled. */
  #doubted: Doubted<Connection> | undefined;
  /** By the latest attempt: the network and the machine live, whatever its homccd does. */
  #isAccepted = false;
  #failures = 0;
  #wantedMs: number;
  #droppedAtMs = -Infinity;
  #expectedForMs = expectedBackMs;
  #cancelExpecting: () => void = () => {};
  #cancelJudging: () => void = () => {};
  #cancelProbe: () => void = () => {};

  constructor(options: HostHealthOptions<Connection>) {
    this.host = options.host;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#timers = options.timers ?? systemTimers;
    this.#wantedMs = this.#clock.monotonicMs();
  }

  get state(): HostState<Connection> {
    return this.#state;
  }

  /** The connection jobs may use now. */
  get connection(): Connection | undefined {
    return this.#state.kind === "healthy" ? this.#state.connection : undefined;
  }

  get readiness(): Readiness {
    switch (this.#state.kind) {
      case "healthy":
        return "ready";
      case "connecting":
        return this.#expectation ?? "soon";
      case "overdue":
        return this.#expectation ?? "late";
      case "dead":
        return this.#expectation ?? (this.#isHopedFor ? "late" : "none");
      default:
        return "none";
    }
  }

  get #expectation(): "soon" | "missed" | undefined {
    const goneMs = this.#clock.monotonicMs() - this.#droppedAtMs;
    if (goneMs >= this.#expectedForMs) return undefined;
    return goneMs < missedAfterMs ? "soon" : "missed";
  }

  /** Jobs without another place wait for it. */
  get #isHopedFor(): boolean {
    return this.#clock.monotonicMs() < this.#droppedAtMs + expectedBackMs;
  }

  /** A job would like to use the server: dials unless that is done, under way, or the probe's business. */
  want(): void {
    this.#wantedMs = this.#clock.monotonicMs();
    if (this.#state.kind === "untried") this.#dial("connecting");
    // It gave no answer before: the job finds out in the background whether it is back.
    else if (this.#state.kind === "resting") this.#dial("overdue");
  }

  /** The network may be another one: what is known about a dead server says nothing any more. */
  forgive(): void {
    if (this.#state.kind !== "dead" && this.#state.kind !== "resting") return;
    this.#stopAttempt();
    this.#failures = 0;
    this.#enter({ kind: "untried" });
  }

  /**
   * `connection` has ended. The next job dials again at once, because a dropped line says nothing about the server.
   * Ignored for a connection that is no longer the current one. `isExpected`: it ended without a word, and jobs wait for
   * the server for `expectedBackMs`, also while dials fail.
   */
  lost(connection: Connection, isExpected = false): void {
    const doubted = this.#doubted;
    if (doubted?.connection === connection) {
      this.#settleDoubt();
      if (isExpected) this.#expectDoubted(doubted.silentSinceMs);
    }
    if (this.connection !== connection) return;
    if (isExpected) this.#expect(expectedBackMs);
    this.#enter({ kind: "untried" });
  }

  /** The line was gone when it fell silent; the dial that is under way is one of those that wait for it. */
  #expectDoubted(silentSinceMs: number): void {
    this.#expect(expectedBackMs, silentSinceMs);
    if (this.#attempt !== undefined && this.#isHopedFor) this.#limitPatience(this.#attempt);
    this.#enter(this.#state);
  }

  /** The server restarts: as soon as it has said so, and when the last of its jobs is done. */
  returning(connection: Connection): void {
    if (this.#state.kind === "closed") return;
    if (this.connection === undefined || this.connection === connection) this.#expect(returningMs);
    this.lost(connection);
  }

  #expect(forMs: number, sinceMs = this.#clock.monotonicMs()): void {
    this.#droppedAtMs = sinceMs;
    this.#expectedForMs = forMs;
    this.#cancelExpecting();
    const goneMs = this.#clock.monotonicMs() - sinceMs;
    const changed = (): void => this.#options.onChange?.(this.#state);
    const cancels = [missedAfterMs, forMs, expectedBackMs].map((ms) =>
      this.#timers.after(Math.max(0, ms - goneMs), changed),
    );
    this.#cancelExpecting = () => {
      for (const cancel of cancels) cancel();
    };
  }

  #stopExpecting(): void {
    this.#droppedAtMs = -Infinity;
    this.#cancelExpecting();
  }

  /**
   * `connection` is silent since then, where an answer is due: its successor is dialled, and jobs wait for that or go elsewhere.
   */
  doubt(connection: Connection, silentSinceMs: number): void {
    if (this.connection !== connection) return;
    this.#doubted = { connection, silentSinceMs };
    const leftMs = silentSinceMs + deadSilenceMs - this.#clock.monotonicMs();
    this.#cancelJudging = this.#timers.after(Math.max(0, leftMs), () => this.#judgeDoubted());
    this.#dial("connecting");
  }

  /** The doubted connection has spoken: it is used again, and no successor is needed. */
  trust(connection: Connection): void {
    if (this.#doubted?.connection !== connection || this.#state.kind === "closed") return;
    this.#stopAttempt();
    this.#settleDoubt();
    this.#enter({ kind: "healthy", connection });
  }

  /** Ends the dial or probe that is under way. An open connection is its owner's to close. */
  close(): void {
    this.#stopExpecting();
    this.#stopAttempt();
    this.#settleDoubt();
    this.#enter({ kind: "closed" });
  }

  #dial(kind: "connecting" | "overdue"): void {
    const attempt = this.#begin();
    this.#enter({ kind, sinceMs: attempt.startedMs });
    if (kind === "connecting") this.#limitPatience(attempt);
    void this.#finish(attempt);
  }

  #begin(): Attempt {
    const startedMs = this.#clock.monotonicMs();
    const attempt: Attempt = { startedMs, abort: new AbortController(), cancelTimer: () => {} };
    this.#attempt = attempt;
    this.#isAccepted = false;
    return attempt;
  }

  #limitPatience(attempt: Attempt): void {
    attempt.cancelTimer();
    attempt.cancelTimer = this.#timers.after(patienceMs, () => {
      if (this.#attempt !== attempt) return;
      // The network was gone when it began: the next attempt is sooner there than TCP asks again.
      if (this.#isHopedFor) attempt.abort.abort(silent(this.host));
      if (this.#isHopedFor || this.#state.kind !== "connecting") return;
      const { sinceMs } = this.#state;
      this.#giveUpDoubted(undefined);
      this.#enter({ kind: "overdue", sinceMs });
      this.#judgeDoubted();
    });
  }

  /** A sign of life buys the dial its patience anew; one that comes too late gets the jobs back. */
  #signOfLife(attempt: Attempt, sign: SignOfLife): void {
    if (this.#attempt !== attempt) return;
    this.#isAccepted ||= sign === "accepted";
    if (this.#state.kind === "overdue") this.#enter({ kind: "connecting", sinceMs: this.#state.sinceMs });
    if (this.#state.kind === "connecting" || this.#isHopedFor) this.#limitPatience(attempt);
  }

  async #finish(attempt: Attempt): Promise<void> {
    try {
      const connection = await this.#options.dial(attempt.abort.signal, (sign) =>
        this.#signOfLife(attempt, sign),
      );
      if (this.#attempt === attempt) this.#succeeded(attempt, connection);
      else this.#options.discard?.(connection);
    } catch (error) {
      if (this.#attempt === attempt) this.#failed(attempt, error);
    }
  }

  #succeeded(attempt: Attempt, connection: Connection): void {
    attempt.cancelTimer();
    this.#attempt = undefined;
    this.#failures = 0;
    this.#stopExpecting();
    this.#giveUpDoubted(connection);
    this.#settleDoubt();
    this.#enter({ kind: "healthy", connection });
  }

  #failed(attempt: Attempt, reason: unknown): void {
    attempt.cancelTimer();
    this.#attempt = undefined;
    const nowMs = this.#clock.monotonicMs();
    const longestMs = this.#isHopedFor ? longestExpectedRetryMs : longestRetryMs;
    const delayMs = Math.min(firstRetryMs * 2 ** this.#failures, longestMs);
    this.#failures += 1;
    const wasSilent = nowMs - attempt.startedMs >= patienceMs;
    const sinceMs = this.#state.kind === "dead" ? this.#state.sinceMs : nowMs;
    this.#giveUpDoubted(undefined);
    this.#cancelProbe = this.#timers.after(delayMs, () => this.#probe(wasSilent, reason));
    this.#enter({ kind: "dead", sinceMs, retryAtMs: nowMs + delayMs, reason });
    this.#judgeDoubted();
  }

  /** A server that refuses is asked by the next job itself: that takes a round trip. One that is silent is not waited for. */
  #probe(wasSilent: boolean, reason: unknown): void {
    if (this.#clock.monotonicMs() - this.#wantedMs < restAfterMs) {
      const attempt = this.#begin();
      if (this.#isHopedFor) this.#limitPatience(attempt);
      void this.#finish(attempt);
    } else this.#enter(wasSilent ? { kind: "resting", reason } : { kind: "untried" });
  }

  /** It stays the doubted one until its successor is up: should it speak after all, it is better than nothing. */
  #giveUpDoubted(successor: Connection | undefined): void {
    if (this.#doubted !== undefined) this.#options.onGivenUp?.(this.#doubted.connection, successor);
  }

  /**
   * Where the machine accepts a connection and its homccd says nothing, that is busy, and what it runs is not thrown away. A dial whose
   * patience is not over may still be accepted.
   */
  #judgeDoubted(): void {
    if (this.#doubted === undefined || this.#isAccepted || this.#state.kind === "connecting") return;
    const { connection, silentSinceMs } = this.#doubted;
    const silentMs = this.#clock.monotonicMs() - silentSinceMs;
    if (silentMs >= deadSilenceMs) this.#options.onDead?.(connection);
  }

  #settleDoubt(): void {
    this.#doubted = undefined;
    this.#cancelJudging();
  }

  #stopAttempt(): void {
    this.#cancelProbe();
    const attempt = this.#attempt;
    this.#attempt = undefined;
    attempt?.cancelTimer();
    attempt?.abort.abort(new HomccError("ERR_HOMCC_UNAVAILABLE", `${hostIdOf(this.host)} is not needed`));
  }

  #enter(state: HostState<Connection>): void {
    this.#state = state;
    this.#options.onChange?.(state);
  }
}

function silent(host: HostAddress): HomccError {
  return new HomccError("ERR_HOMCC_UNAVAILABLE", `no answer from ${hostIdOf(host)}`);
}
