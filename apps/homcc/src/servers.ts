import type { Host } from "@homcc/config/hosts";
import { version } from "@homcc/config/version";
import { systemClock } from "@homcc/observability/clock";
import { describeError } from "@homcc/observability/error";
import type { Logger } from "@homcc/observability/log";
import { HostHealth } from "@homcc/scheduler/health";
import { type HostAddress, type HostId, hostIdOf } from "@homcc/scheduler/host";
import { HostPool } from "@homcc/scheduler/placement";
import { connectToServer } from "@homcc/transport/connect";
import { ServerSession } from "./server-session.ts";
import { connectionStatus, type ServerStatus } from "./server-status.ts";
import type { SlotHolders } from "./slot-holders.ts";

/** Lists of hosts that are remembered while no job uses them; shells with different HOMCC_HOSTS have one each. */
const maxIdlePools = 16;

interface KnownPool {
  readonly pool: HostPool;
  readonly hostIds: readonly HostId[];
  readonly hosts: readonly HostAddress[];
}

/** The servers this agent knows: one connection each, whatever hosts file named them. */
export class Servers {
  readonly #logger: Logger;
  readonly #health = new Map<HostId, HostHealth<ServerSession>>();
  readonly #pools = new Map<string, KnownPool>();
  /** The latest job's wish. */
  #connectTimeoutMs = 10_000;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** The pool of a list of hosts: its LIMITs count per list, since they are the user's wish, not the server's. */
  poolFor(hosts: readonly Host[]): HostPool {
    const key = JSON.stringify(hosts.map(({ name, port, limit }) => [name, port, limit]));
    const known = this.#pools.get(key);
    if (known !== undefined) {
      // Last in line for being forgotten.
      this.#pools.delete(key);
      this.#pools.set(key, known);
      return known.pool;
    }
    const addresses = hosts.map(addressOf);
    const pool = new HostPool({
      hosts: addresses,
      usable: (hostId) => this.#health.get(hostId)?.usable ?? true,
    });
    this.#pools.set(key, { pool, hostIds: addresses.map(hostIdOf), hosts: addresses });
    this.#forgetOldPools();
    return pool;
  }

  /** The connection to a server, dialled when there is none for further jobs. Rejects with ERR_HOMCC_UNAVAILABLE. */
  async connect(host: HostAddress, connectTimeoutMs: number): Promise<ServerSession> {
    this.#connectTimeoutMs = connectTimeoutMs;
    const health = this.#healthOf(host);
    const session = await health.connect();
    if (session.takesJobs) return session;
    health.lost(session);
    session.retire();
    return await health.connect();
  }

  /** `name:port` and why it is not used, for the message of a job that found no server. */
  describe(host: Host): string {
    const address = addressOf(host);
    const state = this.#health.get(hostIdOf(address))?.state;
    const reason = state?.kind === "dead" ? `: ${describeError(state.reason)}` : "";
    return `${hostIdOf(address)}${reason}`;
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
    const offsetMs = systemClock.wallMs() - systemClock.monotonicMs();
    return [...limits].map(([host, limit]) => {
      const jobs = holders.at(host);
      const connection = connectionStatus(this.#health.get(host)?.state, (ms) => ms + offsetMs);
      return { host, ...connection, slots: { held: jobs.length, limit }, jobs };
    });
  }

  close(): void {
    for (const health of this.#health.values()) {
      const { state } = health;
      health.close();
      if (state.kind === "healthy") state.connection.close("the agent ends");
    }
  }

  /** Servers that no remembered list names are not probed any more, and their connections end with their last job. */
  #forgetOldPools(): void {
    const idle = [...this.#pools].filter(([, { pool, hostIds }]) => isIdle(pool, hostIds));
    if (idle.length <= maxIdlePools) return;
    for (const [key] of idle.slice(0, idle.length - maxIdlePools)) this.#pools.delete(key);
    const named = new Set([...this.#pools.values()].flatMap(({ hostIds }) => hostIds));
    for (const [hostId, health] of this.#health) {
      if (named.has(hostId)) continue;
      this.#health.delete(hostId);
      const { state } = health;
      health.close();
      if (state.kind === "healthy") state.connection.retire();
    }
  }

  #healthOf(host: HostAddress): HostHealth<ServerSession> {
    const hostId = hostIdOf(host);
    const known = this.#health.get(hostId);
    if (known !== undefined) return known;
    const health: HostHealth<ServerSession> = new HostHealth({
      host,
      dial: (signal) => this.#dial(host, signal, (session) => health.lost(session)),
      discard: (session) => session.close("not needed any more"),
      onChange: (state) => {
        this.#logger.debug(`${hostId}: ${state.kind}`);
        for (const { pool } of this.#pools.values()) pool.healthChanged();
      },
    });
    this.#health.set(hostId, health);
    return health;
  }

  async #dial(
    host: HostAddress,
    signal: AbortSignal,
    lost: (session: ServerSession) => void,
  ): Promise<ServerSession> {
    const { channel, welcome } = await connectToServer({
      host: host.name,
      port: host.port,
      agent: `homcc ${version}`,
      connectTimeoutMs: this.#connectTimeoutMs,
      signal,
    });
    const session = new ServerSession(hostIdOf(host), channel, welcome);
    void channel.closed.then((reason) => {
      this.#logger.info(`${hostIdOf(host)}: ${describeError(reason)}`);
      lost(session);
    });
    return session;
  }
}

/** A pool with jobs has to hear of its servers' health. */
function isIdle(pool: HostPool, hostIds: readonly HostId[]): boolean {
  return pool.waiting === 0 && hostIds.every((hostId) => pool.heldOn(hostId) === 0);
}

function addressOf({ name, port, limit }: Host): HostAddress {
  return { name, port, limit };
}
