import { connect as connectSocket, type OnReadOpts, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type Clock, systemClock } from "@homcc/observability/clock";
import { describeError } from "@homcc/observability/error";
import {
  agree,
  type ConnectionRefusal,
  encodeHello,
  farewell,
  knownCapabilities,
  protocolVersions,
  readServerGreeting,
  type Welcome,
} from "@homcc/protocol/hello";
import { maxFrameBytes, maxHelloBytes, maxTextLength } from "@homcc/protocol/limits";
import { printable } from "@homcc/protocol/printable";
import type { ChannelOptions } from "./channel-options.ts";
import { type ClientChannel, openClientChannel } from "./channel.ts";
import { ConnectError } from "./connect-error.ts";
import { lookUpName } from "./name-lookup.ts";
import { handshakeSignal, readFirstMessage } from "./preface-reader.ts";
import { secureClient, type ServerTrust } from "./tls-client.ts";
import { V1Connection, type V1ConnectionOptions } from "./v1-connection.ts";

export interface ConnectOptions {
  readonly host: string;
  readonly port: number;
  /** From the look-up of the name to the welcome. */
  readonly connectTimeoutMs: number;
  /** Called when the name is resolved, or ssh says something, and when the server's machine accepted: who waits may go on waiting. */
  readonly onProgress?: (sign: "started" | "accepted") => void;
  readonly signal?: AbortSignal;
  /** Whom the server has to be. With it no byte of ours leaves but in TLS, and no peer of homcc 1.x is spoken to. */
  readonly trust?: ServerTrust;
  /** Program and version, such as `homcc 2.0.0`. */
  readonly agent?: string;
  readonly clock?: Clock;
  /** Timers of the channel's heartbeat, for tests. */
  readonly channel?: Pick<ChannelOptions, "timers" | "busyPace" | "idlePace">;
}

export interface ServerConnection {
  readonly channel: ClientChannel;
  readonly welcome: Welcome;
}

/** Connects and greets. Rejects with a `ConnectError`, or with the signal's reason when it is aborted. */
export async function connectToServer(options: ConnectOptions): Promise<ServerConnection> {
  const { trust } = options;
  return await withSocket(
    { ...options, reusesReadBuffer: trust === undefined },
    async (socket, peer, deadline) => {
      options.onProgress?.("accepted");
      return await greetTrusted(socket, trust, { ...options, peer, deadline });
    },
  );
}

/** Greets a server over a connection of our own, within TLS where the server has to prove who it is. */
export async function greetTrusted(
  socket: Socket,
  trust: ServerTrust | undefined,
  options: GreetOptions & { readonly host: string },
): Promise<ServerConnection> {
  if (trust === undefined) return await greetServer(socket, options);
  const secured = await secureClient(socket, trust, options);
  return await greetServer(secured, { ...options, carrier: socket });
}

/** Connects to a server that is known to speak the format of homcc 1.x: nobody greets there. */
export async function connectToV1Server(
  options: Pick<ConnectOptions, "host" | "port" | "connectTimeoutMs" | "signal"> &
    Pick<V1ConnectionOptions, "onBytes" | "maxPayloadBytes">,
): Promise<V1Connection> {
  const { onBytes, maxPayloadBytes } = options;
  const limits = {
    ...(onBytes === undefined ? {} : { onBytes }),
    ...(maxPayloadBytes === undefined ? {} : { maxPayloadBytes }),
  };
  return await withSocket(options, (socket, peer) =>
    Promise.resolve(new V1Connection(socket, { peer, ...limits })),
  );
}

type SocketUse<Result> = (socket: Socket, peer: string, deadline: AbortSignal) => Promise<Result>;

/** A socket that is destroyed unless `use` succeeds in time. */
async function withSocket<Result>(
  options: Pick<ConnectOptions, "host" | "port" | "connectTimeoutMs" | "signal" | "onProgress"> & {
    /** Who listens to `data` keeps nothing of what it is given. */
    readonly reusesReadBuffer?: boolean;
  },
  use: SocketUse<Result>,
): Promise<Result> {
  const peer = options.host.includes(":")
    ? `[${options.host}]:${options.port}`
    : `${options.host}:${options.port}`;
  options.signal?.throwIfAborted();
  using deadline = handshakeSignal(
    options.connectTimeoutMs,
    () => new ConnectError("timed-out", `${peer} did not answer within ${options.connectTimeoutMs} ms`),
    options.signal,
  );
  const socket = connectSocket({
    host: options.host,
    port: options.port,
    noDelay: true,
    lookup: lookUpName,
    ...(options.reusesReadBuffer === true
      ? { onread: intoOneBuffer((bytes) => socket.emit("data", bytes)) }
      : {}),
  });
  socket.once("lookup", (error) => error === null && options.onProgress?.("started"));
  // Listened to for as long as the socket lives: an error without a listener would end the process.
  socket.on("error", () => {});
  try {
    await connected(socket, peer, deadline.signal);
    return await use(socket, peer, deadline.signal);
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

const readBufferBytes = 64 << 10;

/** A new buffer for each packet costs two system calls and page faults, and collections of the heap for 64 KiB of each. */
function intoOneBuffer(take: (bytes: Uint8Array) => void): OnReadOpts {
  return {
    buffer: Buffer.allocUnsafeSlow(readBufferBytes),
    callback: (bytes, buffer) => {
      take(buffer.subarray(0, bytes));
      return true;
    },
  };
}

export interface GreetOptions extends Pick<ConnectOptions, "agent" | "clock" | "channel"> {
  readonly peer: string;
  readonly deadline: AbortSignal;
  /** Another process carries the connection on, and may end it. */
  readonly isCarried?: boolean;
  /** What TLS goes over: the peer has proven who it is. */
  readonly carrier?: Socket;
}

/** The client's half of the handshake, over any connection. Does not destroy the socket when it fails. */
export async function greetServer(socket: Duplex, options: GreetOptions): Promise<ServerConnection> {
  const { peer } = options;
  const clock = options.clock ?? systemClock;
  const startMs = clock.monotonicMs();
  const capabilities = knownCapabilities.filter((name) => name !== farewell || options.isCarried !== true);
  const agent = options.agent ?? "homcc 2.0.0";
  socket.write(encodeHello({ versions: protocolVersions, agent, capabilities, maxFrameBytes }));
  const first = await readFirstMessage(socket, { maxJsonBytes: maxHelloBytes, signal: options.deadline });
  switch (first.kind) {
    case "closed":
      if (first.receivedBytes === 0 && options.carrier === undefined)
        throw v1(peer, "it closed the connection on our hello", first.cause);
      throw notV2(peer, "its answer broke off", first.cause);
    case "tls":
      throw notV2(peer, "it speaks TLS");
    case "unknown":
      throw notV2(peer, first.why);
    case "json":
      break;
  }
  const welcome = readWelcome(peer, first.json, options.carrier !== undefined);
  const channel = openClientChannel(socket, {
    ...options.channel,
    peer,
    clock,
    agreement: agree(welcome, capabilities),
    initialBytes: first.rest,
    roundTripMs: clock.monotonicMs() - startMs,
    ...(options.carrier === undefined ? {} : { carrier: options.carrier }),
  });
  return { channel, welcome };
}

function readWelcome(peer: string, json: Uint8Array, isSecured: boolean): Welcome {
  let greeting: ReturnType<typeof readServerGreeting>;
  try {
    greeting = readServerGreeting(json);
  } catch (error) {
    throw notV2(peer, printable(describeError(error), maxTextLength));
  }
  if (greeting.kind === "refused") throw refused(peer, greeting.refusal, isSecured);
  const { welcome } = greeting;
  if (!protocolVersions.includes(welcome.version))
    throw versionMismatch(peer, welcome.server, [welcome.version]);
  return welcome;
}

function refused(peer: string, refusal: ConnectionRefusal, isSecured: boolean): ConnectError {
  if (refusal.server === undefined && isSecured) return notV2(peer, `it refuses: ${refusal.info}`);
  if (refusal.server === undefined) return v1(peer, `a homcc 1.x server refuses: ${refusal.info}`);
  const { versions } = refusal;
  if (versions !== undefined && !versions.some((version) => protocolVersions.includes(version))) {
    return versionMismatch(peer, refusal.server, versions);
  }
  return new ConnectError("refused", `${peer} (${refusal.server}) refuses: ${refusal.info}`);
}

function versionMismatch(peer: string, server: string, versions: readonly number[]): ConnectError {
  return new ConnectError(
    "version-mismatch",
    `${peer} (${server}) speaks protocol version ${versions.join(", ")}, this client ${protocolVersions.join(", ")}`,
    { hint: "install the same major version of homcc on both machines" },
  );
}

function v1(peer: string, what: string, cause?: unknown): ConnectError {
  return new ConnectError("v1", `${peer} is no homcc 2 server: ${what}`, {
    hint: "is homccd running behind that port?",
    ...(cause === undefined ? {} : { cause }),
  });
}

function notV2(peer: string, what: string, cause?: unknown): ConnectError {
  return new ConnectError("not-v2", `${peer} is no homcc 2 server: ${what}`, {
    hint: "the port belongs to another program",
    ...(cause === undefined ? {} : { cause }),
  });
}

async function connected(socket: Socket, peer: string, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onAbort = (): void => reject(signal.reason);
  const onError = (error: Error): void => {
    reject(new ConnectError("unreachable", `${peer} cannot be reached`, { cause: withText(error) }));
  };
  socket.once("connect", resolve).once("error", onError);
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    await promise;
  } finally {
    socket.off("connect", resolve).off("error", onError);
    signal.removeEventListener("abort", onAbort);
  }
}

/** With several addresses of one name Node gives an AggregateError without a text; the last attempt has one. */
function withText(error: Error): Error {
  if (!(error instanceof AggregateError) || error.message !== "") return error;
  const last: unknown = error.errors.at(-1);
  return last instanceof Error ? last : error;
}
