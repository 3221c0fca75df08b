import type { Action } from "@homcc/cas/action";
import type { Digest } from "@homcc/cas/digest";
import type { Host } from "@homcc/config/hosts";
import type { LoadedSettings } from "@homcc/config/load";
import { type Clock, systemClock } from "@homcc/observability/clock";
import { describeError, hasCode } from "@homcc/observability/error";
import type { Logger } from "@homcc/observability/log";
import { HostHealth, type HostState } from "@homcc/scheduler/health";
import { type HostAddress, type HostId, hostIdOf } from "@homcc/scheduler/host";
import { HostPool } from "@homcc/scheduler/placement";
import { systemTimers } from "@homcc/transport/timers";
import { SleepWatch } from "@homcc/scheduler/sleep-watch";
import { OutputBases } from "./output-bases.ts";
import { RecentContents } from "./recent-contents.ts";
import { type KnownContents, ServerSession } from "./server-session.ts";
import { ServerDialler } from "./server-dialler.ts";
import type { Outlook, Session } from "./session.ts";
import { connectionStatus, type ServerStatus } from "./server-status.ts";
import type { SshTunnels } from "./ssh-tunnels.ts";
import { type ShippingLink, ToolchainShipments } from "./toolchains/toolchain-shipments.ts";
import { UplinkLimit } from "./uplink-limit.ts";
import type { SlotHolders } from "../records/slot-holders.ts";

/** Lists of hosts that are remembered while no job uses them; shells with different HOMCC_HOSTS have one each. */
const maxIdlePools = 16;

/** So long an upload waits for a server that is gone; a job begins it anew. */
const missedServerMs = 10 * 60_000;

/** What a dial fails with when a server is not who it has to be, refuses this user, or this user has nothing to show. */
const trustFailures = ["ERR_HOMCC_UNTRUSTED", "ERR_HOMCC_REFUSED", "ERR_HOMCC_CONFIGURATION"] as const;

interface KnownPool {
  readonly pool: HostPool;
  wish: ListedHosts;
  hostIds: readonly HostId[];
  hosts: readonly HostAddress[];
}

type ListedHosts = Pick<LoadedSettings, "hosts"> & Partial<Pick<LoadedSettings, "pools">>;
type ExpandPools = (list: Pick<LoadedSettings, "hosts" | "pools">) => readonly Host[];

/** The hosts of a job, and how long a connection to one may take. */
export type HostWish = ListedHosts & {
  readonly settings: Pick<LoadedSettings["settings"], "establishConnectionTimeoutMs"> &
    Partial<Pick<LoadedSettings["settings"], "uplinkBytesPerSecond">>;
};

/** The servers this agent knows: one connection each, whatever hosts file named them. */
export class Servers {
  readonly #logger: Logger;
  readonly #tunnels: SshTunnels;
  readonly #uplink = new UplinkLimit();
  readonly #dialler: ServerDialler;
  readonly #shipments: ToolchainShipments | undefined;
  readonly #outputs: OutputBases;
  readonly #clock: Clock;
  readonly #recent: RecentContents;
  readonly #sleep: SleepWatch;
  readonly #health = new Map<HostId, HostHealth<Session>>();
  readonly #pools = new Map<string, KnownPool>();
  #expand: ExpandPools = ({ hosts }) => hosts;
  /** Jobs that wait for a server to be back. */
  readonly #lookers = new Set<() => void>();
  /** The latest job's wish. */
  #connectTimeoutMs = 10_000;

  /**
   * `known`: also what earlier agents have written; nothing without it. `busy`: keeps this process alive until it is disposed; without it
   * no server is given a toolchain.
   */
  constructor(
    logger: Logger,
    tunnels: SshTunnels,
    clock: Clock = systemClock,
    known: KnownContents = { recent: new RecentContents(), outputs: new OutputBases() },
    busy?: () => Disposable,
  ) {
    this.#logger = logger;
    this.#tunnels = tunnels;
    this.#shipments =
      busy === undefined
        ? undefined
        : new ToolchainShipments({
            clock,
            logger,
            busy,
            linkTo: (host, signal) => this.#linkTo(host, signal),
          });
    this.#dialler = new ServerDialler(logger, tunnels, this.#uplink, clock, known, this.#shipments);
    this.#outputs = known.outputs;
    this.#recent = known.recent;
    this.#clock = clock;
    this.#sleep = new SleepWatch(clock);
  }

  /** For an idle agent: most of the earlier contents of files, which only make uploads shorter. */
  release(): void {
    this.#recent.release();
  }

  /**
   * The pool of a job's hosts, all of them dialled that are not connected: three servers that do not answer then cost
   * the wait for one. Its LIMITs count per list of hosts, since they are the user's wish, not the server's.
   */
  poolFor(wish: HostWish): HostPool {
    const current = this.#current(wish);
    const { hosts, settings } = current;
    this.#connectTimeoutMs = settings.establishConnectionTimeoutMs;
    this.#uplink.bytesPerSecond = settings.uplinkBytesPerSecond;
    const { pool } = this.#knownPool(current);
    if (this.#sleep.slept()) this.#doubtEverything();
    for (const host of hosts) {
      if (host.limit === 0) continue;
      this.#tunnels.to(host);
      this.#healthOf(addressOf(host)).want();
    }
    return pool;
  }

  /**
   * The connection to a server that `poolFor` named. `undefined` when it has just been lost, or its numbers are used up
   * and another one is being dialled: the job asks its pool again.
   */
  sessionOn(hostId: HostId): Session | undefined {
    const health = this.#health.get(hostId);
    const session = health?.connection;
    if (health === undefined || session === undefined || session.takesJobs) return session;
    health.lost(session);
    session.retire();
    health.want();
    return undefined;
  }

  /** It has refused a job because it ends: as if it had said so to the connection. */
  leaving(hostId: HostId, session: Session): void {
    const health = this.#health.get(hostId);
    if (health?.connection === session) health.returning(session);
    session.retire();
  }

  /** Resolves when a server whose connection dropped is back, is not expected any more, or after `withinMs`. */
  async whenBack(hostId: HostId, withinMs: number, signal: AbortSignal): Promise<void> {
    const isAwaited = (): boolean => this.#health.get(hostId)?.readiness === "soon";
    if (signal.aborted || !isAwaited()) return;
    await this.#news(() => !isAwaited(), withinMs, signal);
  }

  /** Toolchains on their way to servers. */
  get shipments(): ToolchainShipments | undefined {
    return this.#shipments;
  }

  /** Servers that a job with this toolchain is not given: they lack it. */
  lacking(toolchain: Digest): ReadonlySet<HostId> {
    return this.#shipments?.lacking(toolchain) ?? new Set();
  }

  /** What the connection to a server says of a job; `undefined` without one. */
  outlookOn(hostId: HostId, action: Pick<Action, "inputs">): Outlook | undefined {
    return this.#health.get(hostId)?.connection?.outlook(action);
  }

  /** Program and version of a server that is connected. */
  versionOf(hostId: string): string | undefined {
    for (const [known, health] of this.#health)
      if (known === hostId) return health.connection?.description.version;
    return undefined;
  }

  /** Those of a job's servers that are connected; the others are dialled, whatever their LIMIT. */
  versionsOf({ hosts }: Pick<HostWish, "hosts">): ReadonlyMap<string, string> {
    const versions = new Map<string, string>();
    for (const host of hosts) {
      this.#tunnels.to(host);
      const health = this.#healthOf(addressOf(host));
      health.want();
      const version = health.connection?.description.version;
      if (version !== undefined) versions.set(hostIdOf(host), version);
    }
    return versions;
  }

  /** `name:port` and why it is not used, for the message of a job that found no server. */
  describe(host: Host): string {
    const hostId = hostIdOf(addressOf(host));
    const state = this.#health.get(hostId)?.state;
    const reason = state === undefined ? undefined : whyUnused(state, this.#clock.monotonicMs());
    return reason === undefined ? hostId : `${hostId}: ${reason}`;
  }

  /** It is not dialled with success because one end does not accept who the other is. */
  isUntrusted(host: Host): boolean {
    const state = this.#health.get(hostIdOf(addressOf(host)))?.state;
    if (host.tls === undefined || (state?.kind !== "dead" && state?.kind !== "resting")) return false;
    return trustFailures.some((code) => hasCode(state.reason, code));
  }

  /** An output that some server made earlier has been written again: later ones may be told by it. */
  noteOutput(path: string, digest: Digest): void {
    this.#outputs.note(undefined, path, digest);
  }

  /** Jobs that wait for a slot on any server. */
  get waiting(): number {
    return [...this.#pools.values()].reduce((sum, { pool }) => sum + pool.waiting, 0);
  }

  /** Every server of the remembered lists. A LIMIT is that of the list which was used last. */
  status(holders: SlotHolders): ServerStatus[] {
    const limits = new Map<HostId, number>();
    for (const { hosts } of this.#pools.values())
      for (const host of hosts) limits.set(hostIdOf(host), host.limit);
    const offsetMs = this.#clock.wallMs() - this.#clock.monotonicMs();
    return [...limits].map(([host, limit]) => {
      const jobs = holders.at(host);
      const connection = connectionStatus(this.#health.get(host)?.state, (ms) => ms + offsetMs);
      return { host, ...connection, slots: { held: jobs.length, limit }, jobs };
    });
  }

  close(): void {
    this.#shipments?.close();
    for (const health of this.#health.values()) {
      const { connection } = health;
      health.close();
      connection?.close("the agent ends");
    }
    this.#tunnels.close();
    try {
      this.#outputs.save();
    } catch (error) {
      this.#logger.info(`the list of outputs cannot be kept: ${describeError(error)}`);
    }
  }

  /** The next connection to a server, which is dialled for as long as somebody may still care. */
  async #linkTo(hostId: HostId, signal: AbortSignal): Promise<ShippingLink | undefined> {
    const endMs = this.#clock.monotonicMs() + missedServerMs;
    while (!signal.aborted && this.#clock.monotonicMs() < endMs) {
      const health = this.#health.get(hostId);
      if (health === undefined) return undefined;
      health.want();
      const session = health.connection;
      if (session?.takesJobs === true) return session instanceof ServerSession ? session : undefined;
      await this.#news(() => true, missedServerMs / 20, signal);
    }
    return undefined;
  }

  /** Resolves when something is news about a server and `isEnough` then, after `withinMs`, or when it is aborted. */
  async #news(isEnough: () => boolean, withinMs: number, signal: AbortSignal): Promise<void> {
    const settled = Promise.withResolvers<void>();
    const settle = (): void => settled.resolve();
    const look = (): void => {
      if (isEnough()) settle();
    };
    const stop = systemTimers.after(withinMs, settle);
    signal.addEventListener("abort", settle, { once: true });
    this.#lookers.add(look);
    try {
      await settled.promise;
    } finally {
      stop();
      signal.removeEventListener("abort", settle);
      this.#lookers.delete(look);
    }
  }

  /** `expand`: the hosts of a list with pools, by what DNS says now. */
  followPools(expand: ExpandPools): void {
    this.#expand = expand;
  }

  /**
   * DNS has changed who is in a pool: jobs that wait are given to those who are there now. A server that left finishes what it has, and
   * its connection ends then.
   */
  membersChanged(): void {
    for (const known of this.#pools.values()) {
      if ((known.wish.pools ?? []).length === 0) continue;
      this.#setHosts(known, this.#current(known.wish));
      if (known.pool.waiting === 0) continue;
      for (const host of known.hosts) if (host.limit > 0) this.#healthOf(host).want();
    }
    this.#forgetUnnamed();
  }

  /** The list as it is now; a server that gets no jobs in it gets none still. */
  #current<Wish extends ListedHosts>(wish: Wish): Wish {
    const { hosts, pools = [] } = wish;
    if (pools.length === 0) return wish;
    const barred = new Set(hosts.filter(({ limit }) => limit === 0).map((host) => hostIdOf(host)));
    const own = hosts.filter((host) => host.pool === undefined);
    const now = this.#expand({ hosts: own, pools }).map((host) =>
      barred.has(hostIdOf(host)) ? { ...host, limit: 0 } : host,
    );
    return { ...wish, hosts: now };
  }

  #setHosts(known: KnownPool, wish: KnownPool["wish"]): void {
    const addresses = wish.hosts.map(addressOf);
    known.wish = wish;
    known.hosts = addresses;
    known.hostIds = addresses.map(hostIdOf);
    known.pool.setHosts(addresses);
  }

  /** A list with pools stays the same list when DNS names other servers. */
  #knownPool(wish: HostWish): KnownPool {
    const { hosts, pools = [] } = wish;
    const listed = hosts.filter(({ pool, limit }) => pools.length === 0 || pool === undefined || limit === 0);
    const key = JSON.stringify([
      listed.map((host) => [hostIdOf(host), host.limit]),
      pools.map(({ text }) => text),
    ]);
    const known = this.#pools.get(key);
    if (known !== undefined) {
      // Last in line for being forgotten.
      this.#pools.delete(key);
      this.#pools.set(key, known);
      const isSame = membersText(known.hosts) === membersText(hosts);
      if (!isSame) this.#setHosts(known, wish);
      return known;
    }
    const addresses = hosts.map(addressOf);
    const pool = new HostPool({
      hosts: addresses,
      readiness: (hostId) => this.#health.get(hostId)?.readiness ?? "none",
    });
    const fresh: KnownPool = { pool, wish, hostIds: addresses.map(hostIdOf), hosts: addresses };
    this.#pools.set(key, fresh);
    this.#forgetOldPools();
    return fresh;
  }

  /** After a sleep the network may be another one: no connection is believed to live, no server to be dead. */
  #doubtEverything(): void {
    this.#logger.info("this machine slept: all connections are checked");
    for (const health of this.#health.values()) {
      health.forgive();
      health.connection?.doubtAfterSleep();
    }
    this.#tunnels.doubt();
  }

  /** Servers that no remembered list names are not probed any more, and their connections end with their last job. */
  #forgetOldPools(): void {
    const idle = [...this.#pools].filter(([, { pool, hostIds }]) => isIdle(pool, hostIds));
    if (idle.length <= maxIdlePools) return;
    for (const [key] of idle.slice(0, idle.length - maxIdlePools)) this.#pools.delete(key);
    this.#forgetUnnamed();
  }

  #forgetUnnamed(): void {
    const named = new Set([...this.#pools.values()].flatMap(({ hostIds }) => hostIds));
    for (const [hostId, health] of this.#health) {
      if (named.has(hostId)) continue;
      this.#health.delete(hostId);
      const { connection } = health;
      health.close();
      connection?.retire();
      this.#tunnels.forget(hostId);
    }
  }

  #healthOf(host: HostAddress): HostHealth<Session> {
    const hostId = hostIdOf(host);
    const known = this.#health.get(hostId);
    if (known !== undefined) return known;
    const health: HostHealth<Session> = new HostHealth({
      host,
      dial: (signal, alive) =>
        this.#dialler.dial(host, health, { connectTimeoutMs: this.#connectTimeoutMs, signal, alive }),
      discard: (session) => session.close("not needed any more"),
      onGivenUp: (session, successor) => {
        session.giveUp(successor !== undefined);
        if (successor !== undefined) session.retire();
      },
      onDead: (session) => session.lose(),
      onChange: (state) => this.#changed(hostId, health, state),
    });
    this.#health.set(hostId, health);
    return health;
  }

  #changed(hostId: HostId, health: HostHealth<Session>, { kind }: HostState<Session>): void {
    this.#logger.debug(`${hostId}: ${kind}`);
    const pools = [...this.#pools.values()].filter(({ hostIds }) => hostIds.includes(hostId));
    // Jobs that wait for one of its slots have asked already.
    if (kind === "untried" && pools.some(({ pool }) => pool.waiting > 0)) health.want();
    for (const { pool } of pools) pool.healthChanged();
    for (const look of this.#lookers) look();
  }
}

function whyUnused(state: HostState<unknown>, nowMs: number): string | undefined {
  switch (state.kind) {
    case "dead":
    case "resting":
      return describeError(state.reason);
    case "connecting":
    case "overdue":
      return `no answer yet after ${((nowMs - state.sinceMs) / 1000).toFixed(1)} s`;
    default:
      return undefined;
  }
}

/** By what placement tells them apart. */
function membersText(hosts: readonly HostAddress[]): string {
  return JSON.stringify(hosts.map((host) => [hostIdOf(host), host.limit, host.pool]));
}

/** A pool with jobs has to hear of its servers' health. */
function isIdle(pool: HostPool, hostIds: readonly HostId[]): boolean {
  return pool.waiting === 0 && hostIds.every((hostId) => pool.heldOn(hostId) === 0);
}

function addressOf({ name, port, limit, pool, ssh, tls }: Host): HostAddress {
  return {
    name,
    port,
    limit,
    ...(pool === undefined ? {} : { pool }),
    ...(ssh === undefined ? {} : { ssh }),
    ...(tls === undefined ? {} : { tls }),
  };
}
