import type { Duplex } from "node:stream";
import type { HomccError } from "@homcc/observability/error";
import type { Packed } from "@homcc/protocol/compression";
import { type Drain, encodeDrain } from "@homcc/protocol/drain";
import { frameFlags, frameTypes } from "@homcc/protocol/frame";
import type { Agreement } from "@homcc/protocol/hello";
import {
  type ClientMessage,
  clientMessages,
  type ServerMessage,
  serverMessages,
} from "@homcc/protocol/messages";
import type { ChannelOptions, Role, SendDataOptions, SendOptions } from "./channel-options.ts";
import { type ChannelParts, connectParts, type Schemas } from "./channel-parts.ts";
import { dataChunkBytes } from "./data-sender.ts";
import type { StreamBytes, StreamHandler } from "./inbound-stream.ts";
import type { StreamAcceptor } from "./inbound-streams.ts";
import type { SilenceListener } from "./silence-probe.ts";

export type { StreamHandler } from "./inbound-stream.ts";

/** The agent's end of a connection. */
export type ClientChannel = Channel<ClientMessage, ServerMessage>;
/** The server's end. */
export type ServerChannel = Channel<ServerMessage, ClientMessage>;

const clientSchemas = { outgoing: clientMessages, incoming: serverMessages };
const serverSchemas = { outgoing: serverMessages, incoming: clientMessages };

/** Makes the agent's end; it runs at once. */
export function openClientChannel(socket: Duplex, options: ChannelOptions): ClientChannel {
  const channel: ClientChannel = new Channel("client", socket, clientSchemas, options);
  channel.serve(() => undefined);
  return channel;
}

/** Makes the server's end; nothing is read before `serve`. */
export function openServerChannel(socket: Duplex, options: ChannelOptions): ServerChannel {
  return new Channel("server", socket, serverSchemas, options);
}

/**
 * One connection with many streams: a stream is a job or an upload, opened by the client by its first message. The
 * server's end flag closes a stream for both ends; the client's says that it sends nothing more.
 */
export class Channel<Outgoing, Incoming> {
  /** Host and port of the peer. */
  readonly peer: string;

  readonly #agreement: Agreement;
  readonly #parts: ChannelParts<Outgoing, Incoming>;
  #initialBytes: Uint8Array | undefined;

  constructor(role: Role, socket: Duplex, schemas: Schemas<Outgoing, Incoming>, options: ChannelOptions) {
    this.peer = options.peer;
    this.#agreement = options.agreement;
    this.#initialBytes = options.initialBytes;
    this.#parts = connectParts(role, socket, schemas, options);
  }

  /** Resolves with the reason once the connection is of no use any more; never rejects. */
  get closed(): Promise<HomccError> {
    return this.#parts.end.closed;
  }

  /** Aborted with that reason. */
  get signal(): AbortSignal {
    return this.#parts.end.signal;
  }

  /** False once `closed` has its reason. */
  get isOpen(): boolean {
    return this.#parts.end.reason === undefined;
  }

  /**
   * The connection ended without a word: the line dropped, or the peer died. False while it is open, and for a client that is
   * known to have died.
   */
  get isLost(): boolean {
    return this.#parts.end.isLost;
  }

  /** Wire bytes after the handshake, for the ledger. */
  get sentBytes(): number {
    return this.#parts.sender.sentBytes;
  }

  get receivedBytes(): number {
    return this.#parts.inbox.receivedBytes;
  }

  /** Of the handshake or the latest ping; `undefined` before any. */
  get roundTripMs(): number | undefined {
    return this.#parts.sender.pulse.roundTripMs;
  }

  /** Blobs and outputs may be told by how they differ from others. */
  get usesDeltas(): boolean {
    return this.#agreement.delta;
  }

  /** The peer reads zstd, and frames as long as pieces of `dataChunkBytes` may be. */
  get takesPacked(): boolean {
    return this.#agreement.zstd && this.#agreement.maxOutgoingFrameBytes >= dataChunkBytes;
  }

  /** The server may ask for a proof of blobs instead of for the blobs. */
  get provesPossession(): boolean {
    return this.#agreement.possession;
  }

  /** The server may be given the client's toolchain. */
  get shipsToolchains(): boolean {
    return this.#agreement.toolchains;
  }

  /**
   * Whether the link takes more than thorough compression gives: as measured, and before there was enough to measure, by
   * a round trip that no home has.
   */
  get isFast(): boolean {
    return this.#parts.compression.isFast;
  }

  /** The link is a LAN or none at all: nothing on it is worth a thought. */
  get isNear(): boolean {
    return this.#parts.sender.pace.isNear;
  }

  /** Bytes per second that the link takes from this end, as far as it had to; `undefined` before enough was measured. */
  get sendRate(): number | undefined {
    return this.#parts.sender.pace.bytesPerSecond;
  }

  /** The shortest round trip of the last quarter of a minute: without a queue, and without a busy peer. `undefined` while few were seen. */
  get distanceMs(): number | undefined {
    return this.#parts.sender.pace.distanceMs;
  }

  /** The same when some were seen, but few. */
  get likelyDistanceMs(): number | undefined {
    return this.#parts.sender.pace.likelyDistanceMs;
  }

  /** One ping after the other, until there were enough for `distanceMs`. Every stream that is opened does it, too. */
  measureDistance(): void {
    this.#parts.sender.measureDistance();
  }

  /** Whether something waits to be sent. */
  get isSending(): boolean {
    return this.#parts.sender.queuedBytes > 0;
  }

  /** From now on no more bytes per second are sent than `limit` says, which is asked each time. */
  limitSending(limit: () => number | undefined): void {
    this.#parts.sender.limit(limit);
  }

  /** `pauseMs` is told of all bytes that come, and says for how long nothing more is read. */
  limitReceiving(pauseMs: (bytes: number) => number): void {
    this.#parts.inbox.limit(pauseMs);
  }

  /** Streams that are open on this end. */
  get openStreams(): number {
    return this.#parts.streams.size;
  }

  /** Begins to read; the server calls it once. Streams that the peer opens go to `accept`. */
  serve(accept: StreamAcceptor<Incoming>): void {
    this.#parts.streams.accept((stream, message) => {
      // The handshake told the client alone.
      this.#parts.sender.pulse.pingFirst();
      return accept(stream, message);
    });
    this.#parts.inbox.start(this.#initialBytes);
    this.#initialBytes = undefined;
  }

  /** Client: a number for a new stream, whose answers go to `handler`. Throws the reason when the channel is closed. */
  openStream(handler: StreamHandler<Incoming>): number {
    if (this.#parts.end.reason !== undefined) throw this.#parts.end.reason;
    const stream = this.#parts.streams.open(handler);
    this.#parts.silence.streamOpened();
    this.measureDistance();
    return stream;
  }

  /** What an open stream has cost so far; keep it, and it goes on counting. */
  bytesOf(stream: number): Readonly<StreamBytes> {
    return this.#parts.streams.bytesOf(stream) ?? { sent: 0, received: 0 };
  }

  /** Forgets a stream: nothing more is delivered, `sendData` on it stops and resolves. Tells the peer nothing. */
  closeStream(stream: number): void {
    this.#parts.streams.close(stream);
  }

  /** Client: tells `listener` when streams are open and the peer does not say anything for long, and when it speaks after all. */
  watchSilence(listener: SilenceListener): void {
    this.#parts.silence.listen(listener);
  }

  /** Asks the peer for a sign of life, and takes it for silent until one comes. */
  doubt(): void {
    if (this.#parts.end.reason === undefined) this.#parts.silence.doubt();
  }

  /**
   * Client: the doubted connection has a successor, or nothing of the peer's machine answers any more. It ends as a line that dropped,
   * unless the peer speaks soon.
   */
  abandon(why: "replaced" | "unreachable"): void {
    if (this.#parts.end.reason === undefined) this.#parts.silence.abandon(why);
  }

  /**
   * Queues a message, before all data. Messages arrive in the order of these calls, whatever their streams.
   * Throws ERR_HOMCC_PROTOCOL, with nothing sent, when the message is beyond the limits. Does nothing when the channel or
   * the stream is closed: handlers learn that from `onClose`.
   */
  send(stream: number, message: Outgoing, options: SendOptions = {}): void {
    const written = this.#parts.writer.write(message);
    if (!this.#parts.streams.has(stream) || this.#parts.end.reason !== undefined) return;
    this.#parts.writer.sent(written);
    const end = options.end === true ? frameFlags.end : 0;
    this.#parts.sender.push("control", {
      type: frameTypes.message,
      flags: written.flags | end,
      stream,
      payload: written.payload,
    });
    if (options.end === true) this.#parts.streams.endSent(stream);
  }

  /**
   * Sends bytes on a stream, in frames that take turns with those of other streams; resolves when the last one was handed
   * to the socket, which keeps the source no faster than the network. Also resolves, early, when the stream is closed;
   * rejects with the reason when the channel is, and with the source's own error (the stream is then left open).
   * Chunks must not change afterwards, unless it resolves with true: nothing refers to them any more. What is packed already
   * goes as it is; only a peer with `takesPacked` understands it.
   */
  sendData(
    stream: number,
    chunks: AsyncIterable<Uint8Array | Packed> | Iterable<Uint8Array | Packed>,
    options: SendDataOptions,
  ): Promise<boolean> {
    return this.#parts.data.send(stream, chunks, options);
  }

  /** Server: tells the client that no more jobs are begun. False: this client does not understand that, and is told nothing. */
  announceDrain(drain: Drain): boolean {
    if (!this.#agreement.drain) return false;
    this.#parts.sender.push("control", {
      type: frameTypes.drain,
      flags: 0,
      stream: 0,
      payload: encodeDrain(drain),
    });
    return true;
  }

  /** Client: calls `listener` when the server begins no more jobs; at once when it has said so. */
  onDrain(listener: (drain: Drain) => void): void {
    this.#parts.drain.listen(listener);
  }

  /** Resolves when the peer has received all that was handed to the socket until now, or the connection has ended. */
  async received(): Promise<void> {
    await Promise.race([this.#parts.sender.pulse.receipt(), this.closed]);
  }

  /** Ends the connection as a line that drops does: a peer expects this end back. Resolves when the socket is closed. */
  drop(reason: string): Promise<void> {
    return this.#parts.end.drop(reason);
  }

  /** Says goodbye with `reason` and ends the connection; open streams are told. Resolves when the socket is closed. */
  close(reason: string): Promise<void> {
    return this.#parts.end.close(reason);
  }

  /** Ends the connection because of a peer's mistake or one of ours; the peer is told the message. Gives the reason it ended with. */
  fail(error: unknown): HomccError {
    return this.#parts.end.fail(error);
  }
}
