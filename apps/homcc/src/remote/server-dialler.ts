import { TargetTriples } from "@homcc/compiler/target-triples";
import { version } from "@homcc/config/version";
import type { Clock } from "@homcc/observability/clock";
import { describeError } from "@homcc/observability/error";
import type { Logger } from "@homcc/observability/log";
import type { HostHealth, SignOfLife } from "@homcc/scheduler/health";
import { type HostAddress, type HostId, hostIdOf } from "@homcc/scheduler/host";
import {
  type ConnectOptions,
  connectToServer,
  connectToV1Server,
  type ServerConnection,
} from "@homcc/transport/connect";
import { ConnectError } from "@homcc/transport/connect-error";
import { connectThroughSsh, type TunnelledConnection } from "@homcc/transport/connect-through-ssh";
import type { SshTunnel } from "@homcc/transport/ssh-tunnel";
import { V1Connection } from "@homcc/transport/v1-connection";
import type { ServerTrust } from "@homcc/transport/tls-client";
import { type KnownContents, ServerSession } from "./server-session.ts";
import type { Session } from "./session.ts";
import type { SshTunnels } from "./ssh-tunnels.ts";
import { trustIn } from "./server-trust.ts";
import { FileSums } from "./v1/file-sums.ts";
import type { ToolchainShipments } from "./toolchains/toolchain-shipments.ts";
import type { UplinkLimit } from "./uplink-limit.ts";
import { maxOutputBytes } from "./v1/v1-run.ts";
import { V1Session } from "./v1/v1-session.ts";

/** So long a port that closes without a word is not taken for a server of homcc 1.x (again). */
const silentPortMs = 30_000;

export interface DialAttempt {
  readonly connectTimeoutMs: number;
  readonly signal: AbortSignal;
  /** As of `HostHealthOptions.dial`. */
  readonly alive: (sign: SignOfLife) => void;
}

/** Makes sessions with servers: directly or through ssh, in our format or in that of homcc 1.x. */
export class ServerDialler {
  readonly #logger: Logger;
  readonly #tunnels: SshTunnels;
  readonly #uplink: UplinkLimit;
  readonly #clock: Clock;
  readonly #silentPorts = new Map<HostId, number>();
  readonly #sums = new FileSums();
  readonly #known: KnownContents;
  readonly #shipments: ToolchainShipments | undefined;
  readonly #targets = new TargetTriples(process.env["PATH"] ?? "/usr/bin:/bin");

  constructor(
    logger: Logger,
    tunnels: SshTunnels,
    uplink: UplinkLimit,
    clock: Clock,
    known: KnownContents,
    shipments?: ToolchainShipments,
  ) {
    this.#shipments = shipments;
    this.#known = known;
    this.#logger = logger;
    this.#tunnels = tunnels;
    this.#uplink = uplink;
    this.#clock = clock;
  }

  /** `health` hears what becomes of the session. */
  async dial(host: HostAddress, health: HostHealth<Session>, attempt: DialAttempt): Promise<Session> {
    const hostId = hostIdOf(host);
    const tunnel = this.#tunnels.known(hostId);
    try {
      const connection = await this.#connect(host, tunnel, await trustIn(host.tls), attempt);
      this.#silentPorts.delete(hostId);
      const { channel, welcome } = connection;
      this.#uplink.add(channel);
      const session = new ServerSession(hostId, channel, welcome, this.#known, tunnel, this.#shipments);
      this.#watch(session, connection, health);
      return session;
    } catch (error) {
      if (!(error instanceof ConnectError) || error.failure !== "v1") throw error;
      // homcc 1.x proves nothing.
      if (host.tls !== undefined || this.#isSilentPort(hostId)) throw error;
      return this.#v1Session(host, tunnel, health, attempt.connectTimeoutMs);
    }
  }

  #connect(
    host: HostAddress,
    tunnel: SshTunnel | undefined,
    trust: ServerTrust | undefined,
    { connectTimeoutMs, signal, alive }: DialAttempt,
  ): Promise<ServerConnection & Partial<TunnelledConnection>> {
    const options: Omit<ConnectOptions, "host" | "port"> = {
      agent: `homcc ${version}`,
      connectTimeoutMs,
      onProgress: alive,
      signal,
      clock: this.#clock,
    };
    return tunnel === undefined
      ? connectToServer({
          ...options,
          host: host.name,
          port: host.port,
          ...(trust === undefined ? {} : { trust }),
        })
      : connectThroughSsh({ ...options, tunnel, peer: hostIdOf(host) });
  }

  #watch(
    session: ServerSession,
    { channel, doubtTunnel, trustTunnel }: ServerConnection & Partial<TunnelledConnection>,
    health: HostHealth<Session>,
  ): void {
    let isReturning = false;
    channel.watchSilence({
      doubted: (silentSinceMs) => {
        this.#logger.info(`${session.hostId} is silent: another connection is tried`);
        doubtTunnel?.();
        health.doubt(session, silentSinceMs);
      },
      trusted: () => {
        session.believe();
        trustTunnel?.();
        health.trust(session);
      },
    });
    channel.onDrain((drain) => {
      this.#logger.info(`${session.hostId} begins no more jobs: it is ${drain}`);
      isReturning = drain === "returning";
      if (isReturning) health.returning(session);
      else health.lost(session);
      session.retire();
    });
    void channel.closed.then((reason) => {
      this.#logger.info(`${session.hostId}: ${describeError(reason)}`);
      if (isReturning) health.returning(session);
      // What closes our hello now is a forwarded port whose server is gone: it does not become one of homcc 1.x so soon.
      if (channel.isLost && !isReturning) this.#silentPorts.set(session.hostId, this.#clock.monotonicMs());
      health.lost(session, channel.isLost);
    });
  }

  /** A server that does on our hello what one of homcc 1.x does: each job talks to it in that format from now on. */
  #v1Session(
    host: HostAddress,
    tunnel: SshTunnel | undefined,
    health: HostHealth<Session>,
    connectTimeoutMs: number,
  ): V1Session {
    const hostId = hostIdOf(host);
    this.#logger.info(`${hostId} is a server of homcc 1.x`);
    return new V1Session({
      hostId,
      connect: async (signal, onBytes) => {
        const watching = { maxPayloadBytes: maxOutputBytes, ...(onBytes === undefined ? {} : { onBytes }) };
        if (tunnel === undefined) {
          const { name, port } = host;
          return await connectToV1Server({ host: name, port, connectTimeoutMs, signal, ...watching });
        }
        const { socket } = await tunnel.open(signal, () => {});
        return new V1Connection(socket, { peer: hostId, ...watching });
      },
      ...(tunnel === undefined ? {} : { way: tunnel }),
      onLost: (session, reason, wasV1) => {
        this.#logger.info(`${hostId}: ${describeError(reason)}`);
        if (!wasV1) this.#silentPorts.set(hostId, this.#clock.monotonicMs());
        health.lost(session);
      },
      onMistaken: () => {
        this.#logger.info(`${hostId} is no server of homcc 1.x`);
        this.#silentPorts.set(hostId, this.#clock.monotonicMs());
      },
      clock: this.#clock,
      sums: this.#sums,
      targets: this.#targets,
    });
  }

  /** It closes connections without a word whatever it is told, like a forwarded port with nobody behind it. */
  #isSilentPort(hostId: HostId): boolean {
    const sinceMs = this.#silentPorts.get(hostId);
    return sinceMs !== undefined && this.#clock.monotonicMs() - sinceMs < silentPortMs;
  }
}
