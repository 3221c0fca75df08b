import type { Host } from "@homcc/config/hosts";
import { version } from "@homcc/config/version";
import { describeError } from "@homcc/observability/error";
import type { Logger } from "@homcc/observability/log";
import { HostHealth } from "@homcc/scheduler/health";
import { type HostAddress, type HostId, hostIdOf } from "@homcc/scheduler/host";
import { HostPool } from "@homcc/scheduler/placement";
import { connectToServer } from "@homcc/transport/connect";

import { ServerSession } from "./server-session.ts";

/** Lists of hosts that are remembered; shells with different HOMCC_HOSTS have one each. */
const maxPools = 16;

/** The servers this agent knows: one connection each, whatever hosts file named them. */
export class Servers {
  readonly #logger: Logger;
  readonly #health = new Map<HostId, HostHealth<ServerSession>>();
  readonly #pools = new Map<string, HostPool>();
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
      return known;
    }
    const pool = new HostPool({
      hosts: hosts.map(addressOf),
      usable: (hostId) => this.#health.get(hostId)?.usable ?? true,
    });
    this.#pools.set(key, pool);
    const oldest = this.#pools.keys().next();
    if (this.#pools.size > maxPools && oldest.done !== true) this.#pools.delete(oldest.value);
    return pool;
  }

  /** The connection to a server, dialled when there is none. Rejects with ERR_HOMCC_UNAVAILABLE. */
  connect(host: HostAddress, connectTimeoutMs: number): Promise<ServerSession> {
    this.#connectTimeoutMs = connectTimeoutMs;
    return this.#healthOf(host).connect();
  }

  /** `name:port` and why it is not used, for the message of a job that found no server. */
  describe(host: Host): string {
    const address = addressOf(host);
    const state = this.#health.get(hostIdOf(address))?.state;
    const reason = state?.kind === "dead" ? `: ${describeError(state.reason)}` : "";
    return `${hostIdOf(address)}${reason}`;
  }

  close(): void {
    for (const health of this.#health.values()) {
      const { state } = health;
      health.close();
      if (state.kind === "healthy") state.connection.close("the agent ends");
    }
  }

  #healthOf(host: HostAddress): HostHealth<ServerSession> {
    const hostId = hostIdOf(host);
    const known = this.#health.get(hostId);
    if (known !== undefined) return known;
    const health = new HostHealth<ServerSession>({
      host,
      dial: (signal) => this.#dial(host, signal),
      discard: (session) => session.close("not needed any more"),
      onChange: (state) => {
        this.#logger.debug(`${hostId}: ${state.kind}`);
        for (const pool of this.#pools.values()) pool.healthChanged();
      },
    });
    this.#health.set(hostId, health);
    return health;
  }

  async #dial(host: HostAddress, signal: AbortSignal): Promise<ServerSession> {
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
      this.#healthOf(host).lost(session);
    });
    return session;
  }
}

function addressOf({ name, port, limit }: Host): HostAddress {
  return { name, port, limit };
}
