import type { Clock } from "@homcc/observability/clock";
import { type ClientIdentity, identityKeyOf } from "@homcc/transport/client-identity";

/** What one client may have at once, over all its connections. */
export interface ClientLimits {
  readonly maxConnections: number;
  /** Running and waiting. */
  readonly maxJobs: number;
  /** Received from it; `undefined`: what the line takes. */
  readonly maxBytesPerSecond: number | undefined;
}

/** What is saved up while a client sends nothing: a second's worth. */
const burstMs = 1_000;

/** A connection that is not read for longer could be taken for a dead one by its client. */
const longestPauseMs = 5_000;

/** All that one client has open; also its party where slots are given in turn. */
export class ClientAccount {
  connections = 0;
  jobs = 0;
  readonly #limits: () => ClientLimits;
  readonly #clock: Clock;
  /** When what was received would have arrived at the rate that is allowed. */
  #dueMs = -Infinity;

  constructor(limits: () => ClientLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /** Why it may not have another connection; `undefined` when it may. */
  whyNoConnection(): string | undefined {
    const { maxConnections } = this.#limits();
    if (this.connections < maxConnections) return undefined;
    return `more than ${maxConnections} connections of one client (option 'max_connections_per_client' of homccd)`;
  }

  /** Why it may not have another job; `undefined` when it may. */
  whyNoJob(): string | undefined {
    const { maxJobs } = this.#limits();
    if (this.jobs < maxJobs) return undefined;
    return `more than ${maxJobs} jobs of one client (option 'max_jobs_per_client' of homccd)`;
  }

  /** Counts bytes that were received; how long nothing more should be read from it. */
  received(bytes: number): number {
    const { maxBytesPerSecond } = this.#limits();
    if (maxBytesPerSecond === undefined) return 0;
    const nowMs = this.#clock.monotonicMs();
    this.#dueMs = Math.max(this.#dueMs, nowMs - burstMs) + (bytes / maxBytesPerSecond) * 1000;
    return Math.min(Math.max(0, this.#dueMs - nowMs), longestPauseMs);
  }
}

/** The accounts of all clients that are connected, by what their connections prove. */
export class ClientAccounts {
  readonly #limits: () => ClientLimits;
  readonly #clock: Clock;
  readonly #accounts = new Map<string, ClientAccount>();

  /** `limits` is asked each time: they may change. */
  constructor(limits: () => ClientLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /** Clients that have a connection. */
  get size(): number {
    return this.#accounts.size;
  }

  /** Why a client may not have another connection; `undefined` when it may. */
  whyNoConnection(identity: ClientIdentity): string | undefined {
    return this.#accounts.get(identityKeyOf(identity))?.whyNoConnection();
  }

  /** Counts a connection until it is disposed of. */
  open(identity: ClientIdentity): Disposable & { readonly account: ClientAccount } {
    const key = identityKeyOf(identity);
    const account = this.#accounts.get(key) ?? new ClientAccount(this.#limits, this.#clock);
    this.#accounts.set(key, account);
    account.connections += 1;
    let isOpen = true;
    return {
      account,
      [Symbol.dispose]: () => {
        if (!isOpen) return;
        isOpen = false;
        account.connections -= 1;
        if (account.connections === 0 && this.#accounts.get(key) === account) this.#accounts.delete(key);
      },
    };
  }
}
