import { HomccError } from "@homcc/observability/error";
import {
  maxCapabilities,
  maxFrameBytes,
  maxHelloBytes,
  maxNameLength,
  maxTextLength,
  maxV1ArgumentBytes,
  minFrameBytes,
} from "./limits.ts";
import { parseJson } from "./message-codec.ts";
import { printable } from "./printable.ts";
import {
  array,
  int,
  isPlainObject,
  oneOf,
  optional,
  parse,
  prose,
  record,
  string,
  type TypeOf,
} from "./schema.ts";

/*
 * v1frame := jsonBytes:u64le  json
 *
 * The hello and its answer have the frame of homcc 1.x and an unknown `message_type`: a 1.x server closes on that at
 * once, where any other preface reads as a length to it, which it waits for in silence for 240 s. After the welcome
 * both directions consist of frames (`frame.ts`).
 */

/** Versions this program speaks, best first. */
export const protocolVersions: readonly number[] = [2];

/**
 * The client ends a connection by a goodbye or by a reset: when it ends otherwise, the client's kernel closed it because
 * the client was killed. Nobody who connects through somebody else's process can say that.
 */
export const farewell = "farewell";

/** What this program can do beyond version 2's base; a peer that lacks one is served without it. */
export const knownCapabilities: readonly string[] = [
  "zstd",
  "inventory",
  "history",
  "delta",
  "possession",
  "pieces",
  farewell,
  "toolchains",
  "drain",
];

const name = string({ maxLength: maxNameLength });
const program = prose(maxNameLength);

const helloSchema = record({
  message_type: oneOf(["HomccV2Hello"]),
  /** Versions the client speaks. */
  versions: array(int(0, 65_535), 16),
  /** Program and version, for logs: `homcc 2.0.0`. */
  agent: program,
  capabilities: array(name, maxCapabilities),
  /** The longest payload the client takes. */
  maxFrameBytes: optional(int(minFrameBytes, 0xffff_ffff)),
});

const welcomeSchema = record({
  message_type: oneOf(["HomccV2Welcome"]),
  /** The version of everything after this message. */
  version: int(0, 65_535),
  /** Program and version: `homccd 2.0.0`. */
  server: program,
  capabilities: array(name, maxCapabilities),
  /** Executors the server can use, best first: `namespace`, `mapped`, … */
  executors: array(prose(maxNameLength), 16),
  /** Jobs the server runs at once. */
  slots: int(0, 65_535),
  /** The longest payload the server takes. */
  maxFrameBytes: optional(int(minFrameBytes, 0xffff_ffff)),
  /** Executors it does not use, and why: the machine does not allow them, or its administrator chose another. */
  unavailable: optional(array(record({ executor: prose(maxNameLength), reason: prose(maxTextLength) }), 16)),
  /** The server's clock, in milliseconds since the epoch. */
  timeMs: optional(int(0, Number.MAX_SAFE_INTEGER)),
  /** The disk of the server's store. */
  disk: optional(
    record({ freeBytes: int(0, Number.MAX_SAFE_INTEGER), totalBytes: int(0, Number.MAX_SAFE_INTEGER) }),
  ),
});

const refusalSchema = record({
  message_type: oneOf(["ConnectionRefusedMessage"]),
  info: prose(maxTextLength),
  /** Only homccd 2 sends these two; 1.x refuses with `info` alone. */
  server: optional(program),
  versions: optional(array(int(0, 65_535), 16)),
});

export type Hello = Omit<TypeOf<typeof helloSchema>, "message_type">;
export type Welcome = Omit<TypeOf<typeof welcomeSchema>, "message_type">;
/** A refusal of either version; `server` and `versions` are there when a homccd 2 refuses. */
export type ConnectionRefusal = Omit<TypeOf<typeof refusalSchema>, "message_type">;

export function encodeHello(hello: Hello): Buffer {
  return encodeV1Frame(parse(helloSchema, { message_type: "HomccV2Hello", ...hello }, "hello"));
}

export function encodeWelcome(welcome: Welcome): Buffer {
  return encodeV1Frame(parse(welcomeSchema, { message_type: "HomccV2Welcome", ...welcome }, "welcome"));
}

/** A homcc 1.x client understands this too: it shows `info` and tries the next host. */
export function encodeRefusal(refusal: ConnectionRefusal): Buffer {
  return encodeV1Frame(
    parse(refusalSchema, { message_type: "ConnectionRefusedMessage", ...refusal }, "refusal"),
  );
}

export const v1PrefixBytes = 8;

/** What the first eight bytes of a connection announce. */
export type Preface =
  | { readonly kind: "json"; readonly jsonBytes: number }
  | { readonly kind: "tls" }
  | { readonly kind: "unknown"; readonly why: string };

/** Bytes 4 to 7 zero = a v1-shaped frame, first byte 0x16 = TLS; `limitBytes` bounds what the frame may announce. */
export function readPreface(prefix: Uint8Array, limitBytes: number): Preface {
  const view = new DataView(prefix.buffer, prefix.byteOffset, v1PrefixBytes);
  if (view.getUint32(4, true) === 0) {
    const jsonBytes = view.getUint32(0, true);
    if (jsonBytes <= limitBytes) return { kind: "json", jsonBytes };
    return {
      kind: "unknown",
      why: `a first message of ${jsonBytes} bytes; at most ${limitBytes} are allowed`,
    };
  }
  if (prefix[0] === 0x16) return { kind: "tls" };
  return {
    kind: "unknown",
    why: `the bytes ${Buffer.from(prefix).toString("hex")} begin no protocol of homcc`,
  };
}

/**
 * False as soon as `start` (the JSON's first bytes) shows that a message longer than a hello is not an ArgumentMessage,
 * the only one that may be: Python writes `message_type` first.
 */
export function mayBeV1Argument(start: Uint8Array): boolean {
  const expected = Buffer.from('{"message_type": "ArgumentMessage"');
  const length = Math.min(start.byteLength, expected.byteLength);
  return expected.subarray(0, length).equals(start.subarray(0, length));
}

/** What a client opened the connection with. */
export type ClientGreeting =
  | { readonly kind: "v2"; readonly hello: Hello }
  | { readonly kind: "v1"; readonly argumentMessage: Readonly<Record<string, unknown>> }
  | { readonly kind: "unknown"; readonly why: string };

/** Reads the JSON of a client's first message. Throws ERR_HOMCC_PROTOCOL when it is damaged. */
export function readClientGreeting(json: Uint8Array): ClientGreeting {
  const message = parseJson(json, maxV1ArgumentBytes);
  const type = messageTypeOf(message);
  switch (type) {
    case "HomccV2Hello":
      return { kind: "v2", hello: withoutType(parse(helloSchema, message, "hello")) };
    case "ArgumentMessage":
      return { kind: "v1", argumentMessage: isPlainObject(message) ? message : {} };
    default:
      return { kind: "unknown", why: `a first message of type ${type}` };
  }
}

/** What a server answers a hello with. */
export type ServerGreeting =
  | { readonly kind: "welcome"; readonly welcome: Welcome }
  | { readonly kind: "refused"; readonly refusal: ConnectionRefusal };

/** Reads the JSON of a server's first message. Throws ERR_HOMCC_PROTOCOL when it is neither. */
export function readServerGreeting(json: Uint8Array): ServerGreeting {
  const message = parseJson(json, maxHelloBytes);
  const type = messageTypeOf(message);
  switch (type) {
    case "HomccV2Welcome":
      return { kind: "welcome", welcome: withoutType(parse(welcomeSchema, message, "welcome")) };
    case "ConnectionRefusedMessage":
      return { kind: "refused", refusal: withoutType(parse(refusalSchema, message, "refusal")) };
    default:
      throw new HomccError("ERR_HOMCC_PROTOCOL", `a first message of type ${type} from the server`);
  }
}

/** The best version both speak. */
export function chooseVersion(offered: readonly number[]): number | undefined {
  return protocolVersions.find((version) => offered.includes(version));
}

/** What this end does given what the other can: the same on both ends. */
export interface Agreement {
  /** Payloads may be compressed. */
  readonly zstd: boolean;
  /** Messages are compressed with those before them (`message-history.ts`). */
  readonly history: boolean;
  /** Blobs and outputs may be told by how they differ from others (`delta.ts`). */
  readonly delta: boolean;
  /** The server asks for a proof of what it has from others, instead of for the blobs (`possession-proof.ts`). */
  readonly possession: boolean;
  /** Data frames may be sent in pieces. */
  readonly pieces: boolean;
  /** An end of the client's side without a word is a client that was killed. */
  readonly farewell: boolean;
  /** The server may be given the client's toolchain. */
  readonly toolchains: boolean;
  /** The server says that it begins no more jobs (`drain.ts`), and the client ends the connection after its last one. */
  readonly drain: boolean;
  /** The longest payload this end sends. */
  readonly maxOutgoingFrameBytes: number;
}

/** `own`: what this end has named itself. */
export function agree(
  peer: Pick<Hello | Welcome, "capabilities" | "maxFrameBytes">,
  own: readonly string[] = knownCapabilities,
): Agreement {
  const both = (capability: string): boolean =>
    peer.capabilities.includes(capability) && own.includes(capability);
  return {
    zstd: both("zstd"),
    history: both("history"),
    delta: both("delta"),
    possession: both("possession"),
    pieces: both("pieces"),
    farewell: both(farewell),
    toolchains: both("toolchains"),
    drain: both("drain"),
    maxOutgoingFrameBytes: Math.min(maxFrameBytes, peer.maxFrameBytes ?? maxFrameBytes),
  };
}

/** Whether a server may be sent a `survey`. */
export function answersSurveys({ capabilities }: Pick<Welcome, "capabilities">): boolean {
  return capabilities.includes("inventory");
}

function encodeV1Frame(message: object): Buffer {
  const json = Buffer.from(JSON.stringify(message));
  if (json.byteLength > maxHelloBytes) {
    throw new HomccError(
      "ERR_HOMCC_PROTOCOL",
      `a hello of ${json.byteLength} bytes; at most ${maxHelloBytes} are allowed`,
    );
  }
  const size = Buffer.alloc(v1PrefixBytes);
  size.writeBigUInt64LE(BigInt(json.byteLength));
  return Buffer.concat([size, json]);
}

function messageTypeOf(message: unknown): string {
  const type = isPlainObject(message) ? message["message_type"] : undefined;
  return typeof type === "string" ? printable(type, 64) : "none";
}

function withoutType<T extends { readonly message_type: string }>(message: T): Omit<T, "message_type"> {
  const { message_type: _type, ...rest } = message;
  return rest;
}
