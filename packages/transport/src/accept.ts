import type { X509Certificate } from "node:crypto";
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
import type { ChannelOptions } from "./channel-options.ts";
import { openServerChannel, type ServerChannel } from "./channel.ts";
import { addressIdentity, type ClientIdentity, identityText } from "./client-identity.ts";
import { type FirstMessage, handshakeSignal, readFirstMessage } from "./preface-reader.ts";
import type { SecuredSocket, TlsListener } from "./tls-listener.ts";

/** Who may connect: the `allow` option. */
export interface AllowedAddresses {
  /** `address` as Node gives it: IPv4, IPv6 with a zone or not, or IPv4 mapped into IPv6. */
  allows(address: string | undefined): boolean;
}

/** What the server says about itself. */
export type ServerOffer = Pick<Welcome, "server" | "executors" | "slots" | "unavailable" | "timeMs" | "disk">;

export interface AcceptOptions {
  /** Asked once the hello is there; `refuse` is the text a client shows instead. */
  readonly welcome: (hello: Hello, identity: ClientIdentity) => ServerOffer | { readonly refuse: string };
  /** Program and version, such as `homccd 2.0.0`, for refusals. */
  readonly server: string;
  /** From the connection to its complete hello: who is slower is no client. */
  readonly handshakeTimeoutMs: number;
  /** Who may connect without a certificate. */
  readonly allow: AllowedAddresses;
  /** TLS, and what certificates of clients are worth; without it nobody has one. */
  readonly tls?: TlsAcceptance;
  /** True: nobody is served without a certificate, from wherever. */
  readonly requiresCertificate?: boolean;
  /** True: a homcc 1.x client is handed over instead of refused. */
  readonly serveV1?: boolean;
  /** What this end says it can do; for tests of older peers. */
  readonly capabilities?: readonly string[];
  readonly clock?: Clock;
  /** Time of the channel, for tests. */
  readonly channel?: Pick<ChannelOptions, "clock" | "timers" | "busyPace" | "idlePace">;
}

/** What is behind a client that proved who it is: for whoever looks again later. */
export interface Credential {
  /** When it was made, where that is known. */
  readonly issuedMs: number | undefined;
  readonly expiresMs: number;
}

/** What a certificate is worth that a client has shown, and whose key it has. */
export type CertificateJudgement =
  | { readonly kind: "known"; readonly identity: ClientIdentity; readonly credential: Credential }
  | { readonly kind: "refused"; readonly why: string };

export interface TlsAcceptance {
  readonly listener: Pick<TlsListener, "secure">;
  readonly judge: (certificate: X509Certificate, error: string | undefined) => CertificateJudgement;
}

/** What became of a connection. */
export type AcceptedConnection =
  /** Nothing is read before `channel.serve`. */
  | {
      readonly kind: "v2";
      readonly identity: ClientIdentity;
      /** `undefined` for an address. */
      readonly credential: Credential | undefined;
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

/** A connection as far as it is known. */
interface Arrival {
  /** As in logs. */
  readonly peer: string;
  readonly carrier: Socket;
  /** The carrier, or TLS over it. */
  readonly socket: Socket;
  readonly identity: ClientIdentity;
  readonly credential: Credential | undefined;
}

/** Finds out what a new connection is and answers it. Never rejects, whatever the peer does. */
export async function acceptConnection(socket: Socket, options: AcceptOptions): Promise<AcceptedConnection> {
  // Listened to for as long as the socket lives: an error without a listener would end the process.
  socket.on("error", () => {});
  const address = socket.remoteAddress;
  const peer = address === undefined ? "a vanished client" : `${address}:${socket.remotePort}`;
  const identity = addressIdentity(address);
  const arrival: Arrival = { peer, carrier: socket, socket, identity, credential: undefined };
  // With TLS it may still prove who it is.
  const unwanted = options.tls === undefined ? whyUnwanted(arrival, options) : undefined;
  if (unwanted !== undefined) return refused(arrival, options, unwanted);
  using deadline = handshakeSignal(
    options.handshakeTimeoutMs,
    () => new HomccError("ERR_HOMCC_PROTOCOL", `no complete hello within ${options.handshakeTimeoutMs} ms`),
  );
  try {
    return await handshake(arrival, options, deadline.signal);
  } catch (error) {
    // The deadline, or a first message that is damaged.
    return refused(arrival, options, printable(describeError(error), maxTextLength));
  }
}

/** Why a client is not served that has not proven who it is; `undefined` when it may be. */
function whyUnwanted({ carrier, credential }: Arrival, options: AcceptOptions): string | undefined {
  if (credential !== undefined) return undefined;
  if (options.requiresCertificate === true)
    return `this server serves no client that is not paired (${howToPair})`;
  if (options.allow.allows(carrier.remoteAddress)) return undefined;
  const { remoteAddress } = carrier;
  if (options.tls === undefined)
    return `the address ${remoteAddress} is not allowed (option 'allow' of homccd)`;
  return `the address ${remoteAddress} is not allowed without a pairing (${howToPair}, or let the address in with the option 'allow' of homccd)`;
}

const howToPair = "run homccd pair --name NAME on the server, and homcc pair with its line on the client";

async function handshake(
  arrival: Arrival,
  options: AcceptOptions,
  deadline: AbortSignal,
): Promise<AcceptedConnection> {
  const { peer, socket } = arrival;
  const unwanted = whyUnwanted(arrival, options);
  const first = await readFirstMessage(socket, {
    maxJsonBytes: maxV1ArgumentBytes,
    alwaysAllowedBytes: maxHelloBytes,
    mayBeLong: (start) => unwanted === undefined && mayBeV1Argument(start),
    signal: deadline,
  });
  if (first.kind === "tls" && options.tls !== undefined && socket === arrival.carrier) {
    return await secure(arrival, first.bytes, options, options.tls, deadline);
  }
  if (unwanted !== undefined && first.kind !== "closed") return refused(arrival, options, unwanted);
  if (first.kind !== "json") {
    socket.destroy();
    return { kind: "rejected", why: `${peer}: ${describe(first)}` };
  }
  const greeting = readClientGreeting(first.json);
  if (greeting.kind === "v2") return welcome(arrival, greeting.hello, first.rest, options);
  if (greeting.kind === "unknown") return refused(arrival, options, greeting.why);
  if (options.serveV1 !== true || socket !== arrival.carrier) {
    return refused(arrival, options, v1Info(options.server), "a homcc 1.x client");
  }
  const { argumentMessage } = greeting;
  return { kind: "v1", identity: arrival.identity, socket, argumentMessage, rest: first.rest };
}

/** Goes on within TLS. */
async function secure(
  arrival: Arrival,
  read: Buffer,
  options: AcceptOptions,
  tls: TlsAcceptance,
  deadline: AbortSignal,
): Promise<AcceptedConnection> {
  const { peer, carrier } = arrival;
  let secured: SecuredSocket;
  try {
    secured = await tls.listener.secure(carrier, read, deadline);
  } catch (error) {
    carrier.destroy();
    return { kind: "rejected", why: `${peer}: ${printable(describeError(error), maxTextLength)}` };
  }
  const { socket, certificate, certificateError } = secured;
  const judgement = certificate === undefined ? undefined : tls.judge(certificate, certificateError);
  if (judgement?.kind === "refused") return refused({ ...arrival, socket }, options, judgement.why);
  const within = { ...arrival, socket, ...judgement };
  try {
    return await handshake(within, options, deadline);
  } catch (error) {
    return refused(within, options, printable(describeError(error), maxTextLength));
  }
}

/** `why` is for the client, and for the log where that has no other word. */
function refused(
  { peer, socket }: Arrival,
  { server }: AcceptOptions,
  why: string,
  logged: string = why,
): AcceptedConnection {
  refuse(socket, server, why);
  return { kind: "rejected", why: `${peer}: ${logged}` };
}

function v1Info(server: string): string {
  return `${server} does not serve homcc 1.x clients: install homcc 2 on the client`;
}

function welcome(
  arrival: Arrival,
  hello: Hello,
  initialBytes: Buffer,
  options: AcceptOptions,
): AcceptedConnection {
  const { socket, carrier, identity, credential } = arrival;
  const version = chooseVersion(hello.versions);
  if (version === undefined) {
    const info = `${hello.agent} speaks protocol version ${hello.versions.join(", ")}, ${options.server} ${protocolVersions.join(", ")}`;
    return refused(arrival, options, info);
  }
  const offer = options.welcome(hello, identity);
  if ("refuse" in offer) return refused(arrival, options, offer.refuse);
  const capabilities = options.capabilities ?? knownCapabilities;
  socket.write(encodeWelcome({ ...offer, version, capabilities, maxFrameBytes }));
  const channel = openServerChannel(socket, {
    ...options.channel,
    ...(options.clock === undefined ? {} : { clock: options.clock }),
    peer: peerText(arrival),
    agreement: agree(hello, capabilities),
    initialBytes,
    carrier,
  });
  return { kind: "v2", identity, credential, channel, hello };
}

/** `alice (192.168.1.7:50312)` for who has proven a name. */
function peerText({ peer, identity }: Arrival): string {
  return identity.kind === "address" ? peer : `${identityText(identity)} (${peer})`;
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
  if (first.kind === "tls") return "a TLS hello, and this server has no TLS to offer";
  if (first.kind === "unknown") return first.why;
  return `closed after ${first.receivedBytes} bytes, before its hello was complete`;
}
