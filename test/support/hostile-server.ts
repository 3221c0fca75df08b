import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { zstdDecompressSync } from "node:zlib";
import type { InputEntry } from "@homcc/cas/action";
import { encodeFrame, FrameDecoder, frameFlags, frameTypes } from "@homcc/protocol/frame";
import type { ClientMessage, JobMessage } from "@homcc/protocol/messages";
import { EntryTable } from "@homcc/protocol/session-entries";
import { bareResult } from "@homcc/transport/fixtures/example-messages";

/** What an end of ours would refuse to send, too. */
export type AnyMessage = Readonly<Record<string, unknown>>;

/** One connection of a client that takes its peer for a homccd. */
export interface Conversation {
  readonly socket: Socket;
  /** A message of any content; a text goes as it is. */
  readonly say: (stream: number, message: AnyMessage | string, end?: boolean) => void;
  readonly data: (stream: number, bytes: Uint8Array, end?: boolean, zstd?: boolean) => void;
  readonly frame: (type: number, flags: number, stream: number, payload: Uint8Array) => void;
}

export interface AskedJob extends Conversation {
  readonly stream: number;
  readonly message: JobMessage;
  readonly inputs: readonly InputEntry[];
  /** Which job of this server, from 0. */
  readonly number: number;
  /** A result, with whatever in place of the honest members, and its bytes. */
  finish(changes: AnyMessage, ...bytes: readonly Uint8Array[]): void;
}

export interface Script {
  readonly onJob?: (job: AskedJob) => unknown;
  /** Of other messages than jobs; blobs are answered with `stored` once they are whole, unless this gives true. */
  readonly onMessage?: (message: ClientMessage, stream: number, conversation: Conversation) => unknown;
  /** Instead of a welcome. */
  readonly greet?: (socket: Socket) => unknown;
  /** Members of the welcome. */
  readonly welcome?: AnyMessage;
  readonly capabilities?: readonly string[];
}

export interface HostileServer extends AsyncDisposable {
  readonly address: string;
  readonly jobs: number;
  readonly connections: number;
  /** Everything that clients said and sent, decompressed. */
  heard(): Buffer;
  readonly messages: readonly ClientMessage[];
}

/** All but `history` and `pieces`, so that what comes is read without their state. */
const capabilities = ["zstd", "delta", "inventory", "possession", "toolchains", "farewell", "drain"];

/** Speaks protocol v2 up to what the script answers, over real sockets, and checks nothing of what it says. */
export async function startHostileServer(script: Script): Promise<HostileServer> {
  const sockets = new Set<Socket>();
  const heard: Buffer[] = [];
  const messages: ClientMessage[] = [];
  const counts = { jobs: 0, connections: 0 };
  const server = createServer((socket) => {
    counts.connections += 1;
    sockets.add(socket);
    socket.on("error", () => {}); // The client gave up: that is what the test is about.
    socket.on("close", () => sockets.delete(socket));
    if (script.greet === undefined) converse(socket, script, { heard, messages, counts });
    else {
      socket.resume();
      script.greet(socket);
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    address: `127.0.0.1:${address.port}`,
    get jobs() {
      return counts.jobs;
    },
    get connections() {
      return counts.connections;
    },
    heard: () => Buffer.concat(heard),
    messages,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** Handshake JSON as it goes on the wire. */
export function handshake(json: AnyMessage): Buffer {
  const text = Buffer.from(JSON.stringify(json));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(text.byteLength));
  return Buffer.concat([prefix, text]);
}

export function welcome(changes: AnyMessage = {}): Buffer {
  return handshake({
    message_type: "HomccV2Welcome",
    version: 2,
    server: "homccd 2.0.0",
    capabilities,
    executors: ["namespace"],
    slots: 8,
    maxFrameBytes: 1 << 20,
    ...changes,
  });
}

interface Heard {
  readonly heard: Buffer[];
  readonly messages: ClientMessage[];
  readonly counts: { jobs: number; connections: number };
}

function converse(socket: Socket, script: Script, { heard, messages, counts }: Heard): void {
  const decoder = new FrameDecoder(1 << 20);
  const table = new EntryTable();
  const blobs = new Set<number>();
  let hello = Buffer.alloc(0);
  let isGreeted = false;
  const conversation: Conversation = {
    socket,
    frame: (type, flags, stream, payload) => void socket.write(encodeFrame({ type, flags, stream, payload })),
    say: (stream, message, end = false) =>
      conversation.frame(
        frameTypes.message,
        end ? frameFlags.end : 0,
        stream,
        Buffer.from(typeof message === "string" ? message : JSON.stringify(message)),
      ),
    data: (stream, bytes, end = false, zstd = false) =>
      conversation.frame(
        frameTypes.data,
        (end ? frameFlags.end : 0) | (zstd ? frameFlags.zstd : 0),
        stream,
        bytes,
      ),
  };
  const receive = (message: ClientMessage, stream: number): void => {
    messages.push(message);
    const isTaken = script.onMessage?.(message, stream, conversation) === true;
    if (message.kind === "blob" && !isTaken) blobs.add(stream);
    if (message.kind !== "job") return;
    const { inputs } = table.resolve(message);
    const number = counts.jobs;
    counts.jobs += 1;
    const finish: AskedJob["finish"] = (changes, ...bytes) => {
      conversation.say(stream, { ...bareResult, ...changes });
      for (const part of bytes) conversation.data(stream, part);
      conversation.data(stream, new Uint8Array(), true);
    };
    script.onJob?.({ ...conversation, stream, message, inputs, number, finish });
  };
  socket.on("data", (chunk: Buffer) => {
    let bytes = chunk;
    if (!isGreeted) {
      hello = Buffer.concat([hello, chunk]);
      if (hello.byteLength < 8 || hello.byteLength < 8 + hello.readUInt32LE()) return;
      bytes = hello.subarray(8 + hello.readUInt32LE());
      isGreeted = true;
      const named = script.capabilities === undefined ? {} : { capabilities: script.capabilities };
      socket.write(welcome({ ...named, ...script.welcome }));
    }
    for (const { type, flags, stream, payload } of decoder.push(bytes)) {
      const isPacked = (flags & frameFlags.zstd) !== 0;
      const plain = isPacked ? zstdDecompressSync(payload) : Buffer.from(payload);
      if (type === frameTypes.ping) conversation.frame(frameTypes.pong, 0, 0, plain);
      if (type === frameTypes.message || type === frameTypes.data) heard.push(plain);
      if (type === frameTypes.message) {
        const message: ClientMessage = JSON.parse(plain.toString());
        receive(message, stream);
      }
      if (type === frameTypes.data && (flags & frameFlags.end) !== 0 && blobs.delete(stream))
        conversation.say(stream, { kind: "stored" }, true);
    }
  });
}
