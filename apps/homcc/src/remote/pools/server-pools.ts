import { errnoOf } from "@homcc/cas/errno";
import type { Host, PoolLine } from "@homcc/config/hosts";
import type { LoadedSettings } from "@homcc/config/load";
import { type Clock, systemClock } from "@homcc/observability/clock";
import { describeError } from "@homcc/observability/error";
import type { Logger } from "@homcc/observability/log";
import { patienceMs } from "@homcc/scheduler/health";
import { hostIdOf } from "@homcc/scheduler/host";
import { systemTimers, type Timers } from "@homcc/scheduler/timers";
import { type PoolAnswer, readPools, writePool } from "./pool-file.ts";
import { lookUpSrv, type SrvLookup } from "./srv-lookup.ts";

/** Node does not say how long an answer holds; so old it is asked for anew by the next job. */
const holdsMs = 30_000;
/** After a lookup that failed. */
const retryMs = 5_000;
/** `homcc -j` stands in many a build. */
const toldWithinMs = 3_000;
/** Shells may name what they like. */
const maxPools = 64;

/** A pool as `homcc status` shows it. */
export interface PoolStatus {
  readonly name: string;
  /** Of the last answer, `name:port`, the best priority first. */
  readonly members: readonly string[];
  /** ISO time of the last answer; absent without one. */
  readonly answeredAt?: string;
  /** Why the last lookup gave none. */
  readonly problem?: string;
}

interface Pool {
  answer: PoolAnswer | undefined;
  /** Of the monotonic clock, as `askAgainMs`. */
  askedAtMs: number;
  askAgainMs: number;
  problem: string | undefined;
  asking: Promise<void> | undefined;
}

export interface ServerPoolsOptions {
  /** Of the file that keeps answers. */
  readonly path: string;
  readonly logger: Logger;
  readonly lookup?: SrvLookup;
  readonly clock?: Clock;
  readonly timers?: Timers;
}

/**
 * The servers that pools stand for, by the last answer of DNS: a lookup that fails changes nothing, and no job waits for one, but for
 * the first of a pool of which nothing is known. It has no timer: jobs find out that an answer is old.
 */
export class ServerPools {
  readonly #options: ServerPoolsOptions;
  readonly #lookup: SrvLookup;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #pools = new Map<string, Pool>();
  readonly #listeners = new Set<() => void>();

  constructor(options: ServerPoolsOptions) {
    this.#options = options;
    this.#lookup = options.lookup ?? lookUpSrv;
    this.#clock = options.clock ?? systemClock;
    this.#timers = options.timers ?? systemTimers;
  }

  /** Called when a pool has other members than before. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** With the pools' servers in `hosts`. Waits only where nothing is known of a pool, for its first lookup, and not for long. */
  async resolve(loaded: LoadedSettings): Promise<LoadedSettings> {
    if (loaded.pools.length === 0) return loaded;
    const unknown = loaded.pools.flatMap(({ name }) => {
      const pool = this.#fresh(name);
      const isFirst = pool.answer === undefined && pool.problem === undefined;
      return isFirst ? [pool] : [];
    });
    const waits = unknown.map(({ asking, askedAtMs }) =>
      this.#atMost(askedAtMs + patienceMs - this.#clock.monotonicMs(), asking),
    );
    await Promise.all(waits);
    return this.expand(loaded);
  }

  /** The same with answers of just now, for commands that tell people: waits for the lookups, and not for ever. */
  async resolveNow<Loaded extends Pick<LoadedSettings, "hosts" | "pools">>(loaded: Loaded): Promise<Loaded> {
    await Promise.all(loaded.pools.map(({ name }) => this.#atMost(toldWithinMs, this.#ask(name))));
    return this.expand(loaded);
  }

  /** The same with what is known. A line of a server's own beats the pool's, unless only the pool's demands a key. */
  expand<Loaded extends Pick<LoadedSettings, "hosts" | "pools">>(loaded: Loaded): Loaded {
    if (loaded.pools.length === 0) return loaded;
    const hosts = new Map(loaded.hosts.map((host) => [addressText(host), host]));
    for (const line of loaded.pools) {
      for (const host of membersOf(line, this.#known(line.name).answer)) {
        const present = hosts.get(addressText(host));
        if (present === undefined || (present.tls === undefined && host.tls !== undefined))
          hosts.set(addressText(host), host);
      }
    }
    return { ...loaded, hosts: [...hosts.values()] };
  }

  /** Why a pool has no servers, for a job that found none. */
  describe({ name, text }: PoolLine): string {
    const { answer, problem } = this.#known(name);
    if (answer !== undefined && answer.members.length > 0) return `${text}: ${answer.members.length} servers`;
    return `${text}: ${problem ?? (answer === undefined ? "no answer yet" : "DNS names no server")}`;
  }

  status(names: readonly string[] = [...this.#pools.keys()]): PoolStatus[] {
    return names.map((name) => {
      const { answer, problem } = this.#known(name);
      return {
        name,
        members: sorted(answer?.members ?? []).map(({ name: host, port }) => `${host}:${port}`),
        ...(answer === undefined ? {} : { answeredAt: new Date(answer.atMs).toISOString() }),
        ...(problem === undefined ? {} : { problem }),
      };
    });
  }

  #known(name: string): Pool {
    const known = this.#pools.get(name);
    if (known !== undefined) return known;
    const answer = readPools(this.#options.path, this.#options.logger).get(name);
    const pool: Pool = {
      answer,
      askedAtMs: -Infinity,
      askAgainMs: -Infinity,
      problem: undefined,
      asking: undefined,
    };
    const [oldest] = this.#pools.keys();
    if (this.#pools.size >= maxPools && oldest !== undefined) this.#pools.delete(oldest);
    this.#pools.set(name, pool);
    return pool;
  }

  /** Asked anew in the background when it is time for that. */
  #fresh(name: string): Pool {
    const pool = this.#known(name);
    if (this.#clock.monotonicMs() >= pool.askAgainMs) void this.#ask(name);
    return pool;
  }

  /** Never rejects. */
  #ask(name: string): Promise<void> {
    const pool = this.#known(name);
    if (pool.asking === undefined) pool.askedAtMs = this.#clock.monotonicMs();
    pool.asking ??= this.#askNow(name, pool).finally(() => (pool.asking = undefined));
    return pool.asking;
  }

  async #askNow(name: string, pool: Pool): Promise<void> {
    try {
      const members = await this.#lookup(name);
      const changed = JSON.stringify(sorted(members)) !== JSON.stringify(sorted(pool.answer?.members ?? []));
      pool.answer = { atMs: this.#clock.wallMs(), members };
      pool.problem = undefined;
      pool.askAgainMs = this.#clock.monotonicMs() + holdsMs;
      if (!changed) return;
      this.#options.logger.info(`srv:${name}: ${members.map((member) => member.name).join(" ")}`);
      this.#keep(name, pool.answer);
      for (const listener of this.#listeners) listener();
    } catch (error) {
      pool.problem = problemText(error);
      pool.askAgainMs = this.#clock.monotonicMs() + retryMs;
    }
  }

  /** A full disk costs the answer only after the agent. */
  #keep(name: string, answer: PoolAnswer): void {
    try {
      writePool(this.#options.path, name, answer, this.#options.logger);
    } catch (error) {
      this.#options.logger.info(`${this.#options.path}: ${describeError(error)}`);
    }
  }

  async #atMost(ms: number, work: Promise<unknown> | undefined): Promise<void> {
    if (ms <= 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const stop = this.#timers.after(ms, resolve);
    await Promise.race([work, promise]);
    stop();
  }
}

function membersOf(
  { name, limit, compression, tls, text, source }: PoolLine,
  answer: PoolAnswer | undefined,
): Host[] {
  return sorted(answer?.members ?? []).map((member) => ({
    name: member.name,
    port: member.port,
    limit,
    compression,
    ...(tls === undefined ? {} : { tls }),
    pool: { name, priority: member.priority, weight: member.weight },
    text,
    source,
  }));
}

/** Name servers turn their answers. */
function sorted<Member extends { readonly priority: number; readonly name: string; readonly port: number }>(
  members: readonly Member[],
): readonly Member[] {
  return members.toSorted(
    (one, other) =>
      one.priority - other.priority ||
      (one.name < other.name ? -1 : one.name > other.name ? 1 : one.port - other.port),
  );
}

/** As in the hosts file: with a key or without, it is one server. */
function addressText({ name, port, ssh }: Host): string {
  return hostIdOf({ name, port, limit: 0, ...(ssh === undefined ? {} : { ssh }) });
}

function problemText(error: unknown): string {
  switch (errnoOf(error)) {
    case "ENOTFOUND":
    case "ENODATA":
      return "DNS has no such name";
    case "ETIMEOUT":
    case "ECONNREFUSED":
      return "no name server answers";
    default:
      return describeError(error);
  }
}
