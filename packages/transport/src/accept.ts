import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Clock } from "@homcc/observability/clock";
import { describeError, HomccError } from "@homcc/observability/error";
import {
  agree,
  chooseVersion,
  encodeRefusal,
  encodeWelcome,
  type Hello,
  knownCapabilities,
  mayBeV1Argument,
  protocolVersions,
  readClientGreeting,
  type Welcome,
} from "@homcc/protocol/hello";
import { maxFrameBytes, maxHelloBytes, maxTextLength, maxV1ArgumentBytes } from "@homcc/protocol/limits";
import { printable } from "@homcc/protocol/printable";
import { type ChannelOptions, openServerChannel, type ServerChannel } from "./channel.ts";
import { addressIdentity, type ClientIdentity } from "./client-identity.ts";
import { type FirstMessage, handshakeSignal, readFirstMessage } from "./preface-reader.ts";

/** Who may connect: the `allow` option. */
export interface AllowedAddresses {
  /** `address` as Node gives it: IPv4, IPv6 with a zone or not, or IPv4 mapped into IPv6. */
  allows(address: string | undefined): boolean;
}

/** What the server says about itself. */
export type ServerOffer = Pick<Welcome, "server" | "executors" | "slots" | "unavailable" | "timeMs" | "disk">;

export interface AcceptOptions {
  /** Asked once the hello is there; `refuse` is the text a client shows instead. */
  readonly welcome: (hello: Hello) => ServerOffer | { readonly refuse: string };
  /** Program and version, such as `homccd 2.0.0`, for refusals. */
  readonly server: string;
  /** From the connection to its complete hello: who is slower is no client. */
  readonly handshakeTimeoutMs: number;
  readonly allow: AllowedAddresses;
  /** True: a homcc 1.x client is handed over instead of refused. */
  readonly serveV1?: boolean;
  /** What this end says it can do; for tests of older peers. */
  readonly capabilities?: readonly string[];
  readonly clock?: Clock;
  /** Timers of the channel's heartbeat, for tests. */
  readonly channel?: Pick<ChannelOptions, "timers" | "busyPace" | "idlePace">;
}

/** What became of a connection. */
export type AcceptedConnection =
  /** Nothing is read before `channel.serve`. */
  | {
      readonly kind: "v2";
      readonly identity: ClientIdentity;
      readonly channel: ServerChannel;
      readonly hello: Hello;
    }
  /** The caller owns the socket, which is paused; `rest` came after the message. */
  | {
      readonly kind: "v1";
      readonly identity: ClientIdentity;
      readonly socket: Socket;
      readonly argumentMessage: Readonly<Record<string, unknown>>;
      readonly rest: Buffer;
    }
  /** The socket is being closed; `why` is for the log. */
  | { readonly kind: "rejected"; readonly why: string };

/** How long a refused client may take to read why. */
const lingerMs = 1_000;

/** A refused client's unread bytes that are thrown away so that it reads why; more is no client. */
const maxDiscardedBytes = 8 << 20;

/** Finds out what a new connection is and answers it. Never rejects, whatever the peer does. */
export async function acceptConnection(socket: Socket, options: AcceptOptions): Promise<AcceptedConnection> {
  // Listened to for as long as the socket lives: an error without a listener would end the process.
  socket.on("error", () => {});
  const address = socket.remoteAddress;
  const peer = address === undefined ? "a vanished client" : `${address}:${socket.remotePort}`;
  if (!options.allow.allows(address)) {
    const info = `the address ${address} is not allowed (option 'allow' of homccd)`;
    refuse(socket, options.server, info);
    return { kind: "rejected", why: `${peer}: ${info}` };
  }
  try {
    return await handshake(socket, peer, options);
  } catch (error) {
    // The deadline, or a first message that is damaged.
    const why = printable(describeError(error), maxTextLength);
    refuse(socket, options.server, why);
    return { kind: "rejected", why: `${peer}: ${why}` };
  }
}

async function handshake(socket: Socket, peer: string, options: AcceptOptions): Promise<AcceptedConnection> {
  using deadline = handshakeSignal(
    options.handshakeTimeoutMs,
    () => new HomccError("ERR_HOMCC_PROTOCOL", `no complete hello within ${options.handshakeTimeoutMs} ms`),
  );
  const first = await readFirstMessage(socket, {
    maxJsonBytes: maxV1ArgumentBytes,
    alwaysAllowedBytes: maxHelloBytes,
    mayBeLong: mayBeV1Argument,
    signal: deadline.signal,
  });
  if (first.kind !== "json") {
    socket.destroy();
    return { kind: "rejected", why: `${peer}: ${describe(first)}` };
  }
  const greeting = readClientGreeting(first.json);
  if (greeting.kind === "v2") return welcome(socket, peer, greeting.hello, first.rest, options);
  if (greeting.kind === "v1" && options.serveV1 === true) {
    const identity = addressIdentity(socket.remoteAddress);
    return { kind: "v1", identity, socket, argumentMessage: greeting.argumentMessage, rest: first.rest };
  }
  const info = greeting.kind === "v1" ? v1Info(options.server) : greeting.why;
  refuse(socket, options.server, info);
  return { kind: "rejected", why: `${peer}: ${greeting.kind === "v1" ? "a homcc 1.x client" : info}` };
}

function v1Info(server: string): string {
  return `${server} does not serve homcc 1.x clients: install homcc 2 on the client`;
}

function welcome(
  socket: Socket,
  peer: string,
  hello: Hello,
  initialBytes: Buffer,
  options: AcceptOptions,
): AcceptedConnection {
  const version = chooseVersion(hello.versions);
  if (version === undefined) {
    const info = `${hello.agent} speaks protocol version ${hello.versions.join(", ")}, ${options.server} ${protocolVersions.join(", ")}`;
    refuse(socket, options.server, info);
    return { kind: "rejected", why: `${peer}: ${info}` };
  }
  const offer = options.welcome(hello);
  if ("refuse" in offer) {
    refuse(socket, options.server, offer.refuse);
    return { kind: "rejected", why: `${peer}: ${offer.refuse}` };
  }
  const capabilities = options.capabilities ?? knownCapabilities;
  socket.write(encodeWelcome({ ...offer, version, capabilities, maxFrameBytes }));
  const channel = openServerChannel(socket, {
    ...options.channel,
    ...(options.clock === undefined ? {} : { clock: options.clock }),
    peer,
    agreement: agree(hello, capabilities),
    initialBytes,
  });
  return { kind: "v2", identity: addressIdentity(socket.remoteAddress), channel, hello };
}

/** Says why, in the form that clients of both versions read, and closes. */
function refuse(socket: Duplex, server: string, info: string): void {
  socket.end(encodeRefusal({ info, server, versions: protocolVersions }));
  // Bytes left unread would turn our end into a reset, which can overtake the answer.
  let discardedBytes = 0;
  socket.on("data", (chunk: Uint8Array) => {
    discardedBytes += chunk.byteLength;
    if (discardedBytes > maxDiscardedBytes) socket.destroy();
  });
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), lingerMs);
  socket.once("close", () => clearTimeout(timer));
}

function describe(first: Exclude<FirstMessage, { kind: "json" }>): string {
  if (first.kind === "tls") return "a TLS hello, and TLS is not configured";
  if (first.kind === "unknown") return first.why;
  return `closed after ${first.receivedBytes} bytes, before its hello was complete`;
}
