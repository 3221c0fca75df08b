import type { Socket } from "node:net";
import { version } from "@homcc/config/version";
import type { Executor, ExecutorSession } from "@homcc/execution/executor";
import { describeError } from "@homcc/observability/error";
import type { Logger } from "@homcc/observability/log";
import { knownCapabilities } from "@homcc/protocol/hello";
import { acceptConnection } from "@homcc/transport/accept";
import type { ServerChannel } from "@homcc/transport/channel";
import { addressIdentity, identityText } from "@homcc/transport/client-identity";
import { ClientSession, type ServerServices } from "./client-session.ts";
import { diskOf } from "./disk-space.ts";
import type { ChosenExecutor } from "./executors.ts";
import { atTime } from "./identity/at-time.ts";
import type { ClientAuthentication } from "./identity/client-authentication.ts";
import type { LastSeen } from "./identity/last-seen.ts";
import { shuttingDown } from "./job-refusal.ts";
import type { Activity } from "./operations/activity.ts";
import type { ClientAccounts } from "./operations/client-accounts.ts";
import type { Clients } from "./operations/clients.ts";
import type { Ending } from "./operations/ending.ts";
import type { LiveSettings } from "./operations/live-settings.ts";
import { serveV1Client, type V1Services } from "./v1/v1-client.ts";

export const serverName = `homccd ${version}`;

/** What clients are served with, once it is there. */
export interface Serving extends Omit<ChosenExecutor, "v1Executor"> {
  readonly services: ServerServices;
  readonly v1: V1Services;
  readonly activity: Activity;
  readonly authentication: ClientAuthentication;
  readonly lastSeen: LastSeen;
}

export interface ReceptionOptions {
  readonly live: LiveSettings;
  readonly ending: Ending;
  readonly clients: Clients;
  readonly accounts: ClientAccounts;
  /** Connections that have not said who they are; by address. */
  readonly arrivals: ClientAccounts;
  readonly logger: Logger;
}

/** From the connection to its complete hello. A 1.x client sends at once too. */
const handshakeTimeoutMs = 10_000;

/** Takes connections from their first byte to their end, from the first moment on: who comes while we start waits for its welcome. */
export class Reception {
  readonly #options: ReceptionOptions;
  readonly #started: Promise<Serving>;
  readonly #sockets = new Set<Socket>();
  readonly #served = new Set<Promise<void>>();

  constructor(options: ReceptionOptions, started: Promise<Serving>) {
    this.#options = options;
    this.#started = started;
  }

  take(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    const served = this.#serve(socket).catch((error: unknown) =>
      this.#options.logger.error(error instanceof Error ? (error.stack ?? error.message) : String(error)),
    );
    this.#served.add(served);
    void served.finally(() => this.#served.delete(served));
  }

  /** Ends what is still connected, and resolves when nobody is served any more. */
  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(this.#served);
  }

  async #serve(socket: Socket): Promise<void> {
    const { live, ending, clients, accounts, arrivals, logger } = this.#options;
    const address = addressIdentity(socket.remoteAddress);
    const why = arrivals.whyNoConnection(address);
    if (why !== undefined) {
      logger.debug(`${identityText(address)}: ${why}, and none of them has said hello`);
      socket.destroy();
      return;
    }
    using arrival = arrivals.open(address);
    const { services, v1, activity, executor, announced, unavailable, authentication, lastSeen } =
      await this.#started;
    const { acceptance } = authentication;
    const accepted = await acceptConnection(socket, {
      server: serverName,
      welcome: (_hello, identity) => {
        if (ending.drain !== undefined) return { refuse: shuttingDown.message };
        const whyNot = accounts.whyNoConnection(identity);
        if (whyNot !== undefined) return { refuse: whyNot };
        return {
          server: serverName,
          executors: [...announced],
          slots: live.current.limit,
          unavailable: [...unavailable],
          timeMs: Date.now(),
          ...diskOf(live.current.store),
        };
      },
      handshakeTimeoutMs,
      allow: { allows: (address) => live.current.allow.includes(address ?? "") },
      requiresCertificate: live.current.requiresCertificate,
      ...(acceptance === undefined ? {} : { tls: acceptance }),
      serveV1: true,
      capabilities: knownCapabilities.filter(
        (name) => name !== "toolchains" || services.shipping !== undefined,
      ),
    });
    arrival[Symbol.dispose]();
    if (accepted.kind === "rejected") {
      activity.turnedAway();
      logger.info(accepted.why);
      return;
    }
    if (accepted.kind === "v1") {
      await clients.serveV1(accepted.socket, serveV1Client(accepted, v1));
      return;
    }
    logger.info(`${accepted.channel.peer}: ${accepted.hello.agent}`);
    const { identity, credential } = accepted;
    if (identity.kind === "paired") void lastSeen.note(identity.name).catch(() => {});
    const session = new ClientSession(accepted, await openSession(executor, accepted.channel), services);
    // It may have been revoked since its certificate was looked at, and expires some day.
    const check = (): void => {
      const why = whyNoLonger(session, authentication);
      if (why !== undefined) void session.turnOut(why);
    };
    using _expiry = atTime(credential?.expiresMs, check);
    const serving = clients.serve(session);
    check();
    await serving;
  }
}

/** Why somebody who was let in is to leave. */
export function whyNoLonger(
  { identity, credential }: ClientSession,
  authentication: ClientAuthentication,
): string | undefined {
  return authentication.whyNoLonger(identity, credential);
}

/** A client that cannot be served is told so: it would wait for answers as long as the connection lives. */
async function openSession(executor: Executor, channel: ServerChannel): Promise<ExecutorSession> {
  try {
    return await executor.openSession();
  } catch (error) {
    void channel.close(describeError(error));
    throw error;
  }
}
