import { HomccError } from "@homcc/observability/error";
import { systemClock, type Clock } from "@homcc/observability/clock";
import { hostIdOf, type HostAddress } from "./host.ts";
import { systemTimers, type Timers } from "./timers.ts";

/** What is known about one server. Times are of the monotonic clock. */
export type HostState<Connection> =
  /** Presumed reachable: not tried yet, or its last connection ended and nobody has needed another since. */
  | { readonly kind: "untried" }
  | { readonly kind: "connecting"; readonly pending: Promise<Connection> }
  | { readonly kind: "healthy"; readonly connection: Connection }
  /** The last connect failed. A probe in the background tries again at `retryAtMs`; jobs do not wait for it. */
  | { readonly kind: "dead"; readonly sinceMs: number; readonly retryAtMs: number; readonly reason: unknown }
  | { readonly kind: "closed" };

export interface HostHealthOptions<Connection> {
  readonly host: HostAddress;
  /**
   * Opens a connection to it, hello included. It must end by itself, by a time limit of its own: it is never called
   * again before it has, so a server that swallows packets costs one pending connect.
   */
  readonly dial: (signal: AbortSignal) => Promise<Connection>;
  /** Frees a connection that came up after `close`. */
  readonly discard?: (connection: Connection) => void;
  /** Called after every change of state, for placement and the log. */
  readonly onChange?: (state: HostState<Connection>) => void;
  readonly clock?: Clock;
  readonly timers?: Timers;
}

/** First retry after a failed connect, doubled with each further failure. A restarted homccd is back in about 0.3 s. */
const firstRetryMs = 250;
const longestRetryMs = 10_000;

/** The one connection to a server: shared while it lives, dialled once at a time, probed while the server is dead. */
export class HostHealth<Connection> {
  readonly host: HostAddress;
  readonly #options: HostHealthOptions<Connection>;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #closing = new AbortController();
  #state: HostState<Connection> = { kind: "untried" };
  #failures = 0;
  #cancelProbe: () => void = () => {};

  constructor(options: HostHealthOptions<Connection>) {
    this.host = options.host;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#timers = options.timers ?? systemTimers;
  }

  get state(): HostState<Connection> {
    return this.#state;
  }

  /** Whether a job may be sent there; false while the server is known to be dead. */
  get usable(): boolean {
    return this.#state.kind !== "dead" && this.#state.kind !== "closed";
  }

  /**
   * The connection, dialled if there is none; callers share one pending dial. Rejects with ERR_HOMCC_UNAVAILABLE at
   * once when the server is known to be dead, and when the dial fails (the reason is its cause).
   */
  connect(): Promise<Connection> {
    const state = this.#state;
    if (state.kind === "healthy") return Promise.resolve(state.connection);
    if (state.kind === "connecting") return state.pending;
    if (state.kind === "untried") return this.#dialForJobs();
    return Promise.reject(unavailable(this.host, state.kind === "dead" ? state.reason : undefined));
  }

  /**
   * `connection` has ended. The next job dials again at once, because a dropped line says nothing about the server.
   * Ignored for a connection that is no longer the current one.
   */
  lost(connection: Connection): void {
    if (this.#state.kind === "healthy" && this.#state.connection === connection)
      this.#enter({ kind: "untried" });
  }

  /** Ends the dial or probe that is under way. An open connection is its owner's to close. */
  close(): void {
    this.#cancelProbe();
    this.#enter({ kind: "closed" });
    this.#closing.abort(unavailable(this.host, undefined));
  }

  #dialForJobs(): Promise<Connection> {
    const pending = this.#dial();
    this.#enter({ kind: "connecting", pending });
    return pending;
  }

  async #dial(): Promise<Connection> {
    try {
      const connection = await this.#options.dial(this.#closing.signal);
      this.#succeeded(connection);
      return connection;
    } catch (error) {
      this.#failed(error);
      throw unavailable(this.host, error);
    }
  }

  #succeeded(connection: Connection): void {
    if (this.#state.kind === "closed") {
      this.#options.discard?.(connection);
      throw this.#closing.signal.reason;
    }
    this.#failures = 0;
    this.#enter({ kind: "healthy", connection });
  }

  #failed(reason: unknown): void {
    if (this.#state.kind === "closed") return;
    const delayMs = Math.min(firstRetryMs * 2 ** this.#failures, longestRetryMs);
    this.#failures += 1;
    const nowMs = this.#clock.monotonicMs();
    const sinceMs = this.#state.kind === "dead" ? this.#state.sinceMs : nowMs;
    this.#enter({ kind: "dead", sinceMs, retryAtMs: nowMs + delayMs, reason });
    this.#cancelProbe = this.#timers.after(delayMs, () => {
      // Its failure has already become the state, and its success too.
      this.#dial().catch(() => {});
    });
  }

  #enter(state: HostState<Connection>): void {
    this.#state = state;
    this.#options.onChange?.(state);
  }
}

function unavailable(host: HostAddress, cause: unknown): HomccError {
  return new HomccError("ERR_HOMCC_UNAVAILABLE", `no connection to ${hostIdOf(host)}`, { cause });
}
