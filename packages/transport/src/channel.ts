import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { systemClock } from "@homcc/observability/clock";
import type { HomccError } from "@homcc/observability/error";
import type { Packed } from "@homcc/protocol/compression";
import { decodeDrain, type Drain, encodeDrain } from "@homcc/protocol/drain";
import { type Frame, frameFlags, frameHeaderBytes, frameTypes } from "@homcc/protocol/frame";
import type { Agreement } from "@homcc/protocol/hello";
import type { IncomingSchema } from "@homcc/protocol/message-codec";
import {
  type ClientMessage,
  clientMessages,
  type ServerMessage,
  serverMessages,
} from "@homcc/protocol/messages";
import type { Schema } from "@homcc/protocol/schema";
import type { ChannelOptions, Role, SendDataOptions, SendOptions } from "./channel-options.ts";
import { ConnectionEnd } from "./connection-end.ts";
import { DataCompression } from "./data-compression.ts";
import { dataChunkBytes, DataSender } from "./data-sender.ts";
import { FrameSender } from "./frame-sender.ts";
import { busyPace, Heartbeat, idleServerPace } from "./heartbeat.ts";
import { Inbox } from "./inbox.ts";
import { MessageBudget } from "./message-budget.ts";
import { MessageReader } from "./message-reader.ts";
import { MessageWriter } from "./message-writer.ts";
import type { StreamBytes, StreamHandler } from "./inbound-stream.ts";
import { InboundStreams, type StreamAcceptor } from "./inbound-streams.ts";
import { type SilenceListener, SilenceProbe } from "./silence-probe.ts";
import { systemTimers } from "./timers.ts";

export type { StreamHandler } from "./inbound-stream.ts";

/** The agent's end of a connection. */
export type ClientChannel = Channel<ClientMessage, ServerMessage>;
/** The server's end. */
export type ServerChannel = Channel<ServerMessage, ClientMessage>;

/**
 * When the kernel asks an idle peer for a sign of life; it asks ten times, a second apart (libuv's choice). The agent's
 * end keeps routers from forgetting the connection, which cheap ones do after 30 s, without waking the agent.
 */
const keepAliveMs = { client: 25_000, server: 60_000 } as const;

/** Makes the agent's end; it runs at once. */
export function openClientChannel(socket: Duplex, options: ChannelOptions): ClientChannel {
  const channel: ClientChannel = new Channel("client", socket, clientMessages, serverMessages, options);
  channel.serve(() => undefined);
  return channel;
}

/** Makes the server's end; nothing is read before `serve`. */
export function openServerChannel(socket: Duplex, options: ChannelOptions): ServerChannel {
  return new Channel("server", socket, serverMessages, clientMessages, options);
}

/**
 * One connection with many streams: a stream is a job or an upload, opened by the client by its first message. The
 * server's end flag closes a stream for both ends; the client's says that it sends nothing more.
 */
export class Channel<Outgoing, Incoming> {
  /** Host and port of the peer. */
  readonly peer: string;

  readonly #role: Role;
  readonly #agreement: Agreement;
  readonly #end: ConnectionEnd;
  readonly #inbox: Inbox;
  readonly #sender: FrameSender;
  readonly #writer: MessageWriter<Outgoing>;
  readonly #heartbeat: Heartbeat;
  readonly #silence: SilenceProbe;
  readonly #streams: InboundStreams<Incoming>;
  readonly #compression: DataCompression;
  readonly #data: DataSender;
  #initialBytes: Uint8Array | undefined;
  #onDrain: (drain: Drain) => void = () => {};
  #drain: Drain | undefined;

  constructor(
    role: Role,
    socket: Duplex,
    outgoing: Schema<Outgoing>,
    incoming: IncomingSchema<Incoming>,
    options: ChannelOptions,
  ) {
    this.peer = options.peer;
    this.#role = role;
    this.#agreement = options.agreement;
    this.#writer = new MessageWriter(outgoing, this.peer, this.#agreement);
    this.#initialBytes = options.initialBytes;
    const clock = options.clock ?? systemClock;
    const timers = options.timers ?? systemTimers;
    const carrier = options.carrier ?? (socket instanceof Socket ? socket : undefined);
    carrier?.setNoDelay(true);
    carrier?.setKeepAlive(true, keepAliveMs[role]);
    carrier?.setTimeout(0);
    this.#end = new ConnectionEnd({
      role,
      peer: this.peer,
      socket,
      carrier,
      timers,
      farewell: this.#agreement.farewell,
      sendLast: (frame) => this.#sender.pushLast(frame),
      stop: () => this.#stop(),
      ended: (reason) => this.#streams.closeAll(reason),
    });
    this.#sender = new FrameSender(socket, {
      role,
      peer: this.peer,
      clock,
      timers,
      roundTripMs: options.roundTripMs,
      pieces: this.#agreement.pieces,
      end: this.#end,
      sending: (frame) => this.#sending(frame),
    });
    this.#heartbeat = new Heartbeat({
      clock,
      timers,
      busy: options.busyPace ?? busyPace,
      idle: role === "server" ? (options.idlePace ?? idleServerPace) : undefined,
      isReading: () => this.#inbox.isReading,
      ping: () => this.#sender.pulse.ping(),
      checked: () => this.#sender.dropUnlessTaking(),
      dead: (silentMs) => this.lose(silentMs),
    });
    this.#silence = new SilenceProbe({
      clock,
      timers,
      ping: () => this.#sender.pulse.ping(),
      isReading: () => this.#inbox.isReading,
      roundTripMs: () => this.#sender.pulse.roundTripMs,
      sentBytes: () => this.#sender.sentBytes + this.#sender.queuedBytes,
      isSending: () => this.isSending || this.#sender.isBlocked,
      dead: (silentMs) => this.lose(silentMs),
    });
    this.#inbox = new Inbox(socket, {
      clock,
      timers,
      // Only a server has peers that it must keep from each other.
      budget: role === "server" ? new MessageBudget(clock) : undefined,
      isOpen: () => this.isOpen,
      heard: () => {
        this.#heartbeat.received();
        this.#silence.received();
      },
      receive: (frame) => this.#receive(frame),
      failed: (error) => this.fail(error),
      resumed: () => this.#heartbeat.received(),
    });
    this.#streams = new InboundStreams({
      role,
      peer: this.peer,
      reader: new MessageReader(incoming, this.#agreement.history),
      inbox: this.#inbox,
      end: this.#end,
      setBusy: (isBusy) => {
        this.#heartbeat.setBusy(isBusy);
        this.#silence.setBusy(isBusy);
      },
    });
    this.#compression = new DataCompression({
      role,
      zstd: this.#agreement.zstd,
      rate: this.#sender.rate,
      pace: this.#sender.pace,
    });
    this.#data = new DataSender({
      maxFrameBytes: this.#agreement.maxOutgoingFrameBytes,
      compression: this.#compression,
      end: this.#end,
      isStreamOpen: (stream) => this.#streams.has(stream),
      push: (priority, frame, written) => this.#sender.push(priority, frame, written),
      endSent: (stream) => this.#endSent(stream),
    });
    this.#end.watch();
  }

  /** Resolves with the reason once the connection is of no use any more; never rejects. */
  get closed(): Promise<HomccError> {
    return this.#end.closed;
  }

  /** Aborted with that reason. */
  get signal(): AbortSignal {
    return this.#end.signal;
  }

  /** False once `closed` has its reason. */
  get isOpen(): boolean {
    return this.#end.reason === undefined;
  }

  /**
   * The connection ended without a word: the line dropped, or the peer died. False while it is open, and for a client that is
   * known to have died.
   */
  get isLost(): boolean {
    return this.#end.isLost;
  }

  /** Wire bytes after the handshake, for the ledger. */
  get sentBytes(): number {
    return this.#sender.sentBytes;
  }

  get receivedBytes(): number {
    return this.#inbox.receivedBytes;
  }

  /** Of the handshake or the latest ping; `undefined` before any. */
  get roundTripMs(): number | undefined {
    return this.#sender.pulse.roundTripMs;
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
    return this.#compression.isFast;
  }

  /** The link is a LAN or none at all: nothing on it is worth a thought. */
  get isNear(): boolean {
    return this.#sender.pace.isNear;
  }

  /** Bytes per second that the link takes from this end, as far as it had to; `undefined` before enough was measured. */
  get sendRate(): number | undefined {
    return this.#sender.pace.bytesPerSecond;
  }

  /** The shortest round trip of the last quarter of a minute: without a queue, and without a busy peer. `undefined` while few were seen. */
  get distanceMs(): number | undefined {
    return this.#sender.pace.distanceMs;
  }

  /** The same when some were seen, but few. */
  get likelyDistanceMs(): number | undefined {
    return this.#sender.pace.likelyDistanceMs;
  }

  /** One ping after the other, until there were enough for `distanceMs`. Every stream that is opened does it, too. */
  measureDistance(): void {
    this.#sender.measureDistance();
  }

  /** Whether something waits to be sent. */
  get isSending(): boolean {
    return this.#sender.queuedBytes > 0;
  }

  /** From now on no more bytes per second are sent than `limit` says, which is asked each time. */
  limitSending(limit: () => number | undefined): void {
    this.#sender.limit(limit);
  }

  /** `pauseMs` is told of all bytes that come, and says for how long nothing more is read. */
  limitReceiving(pauseMs: (bytes: number) => number): void {
    this.#inbox.limit(pauseMs);
  }

  /** Streams that are open on this end. */
  get openStreams(): number {
    return this.#streams.size;
  }

  /** Begins to read; the server calls it once. Streams that the peer opens go to `accept`. */
  serve(accept: StreamAcceptor<Incoming>): void {
    this.#streams.accept((stream, message) => {
      // The handshake told the client alone.
      this.#sender.pulse.pingFirst();
      return accept(stream, message);
    });
    this.#inbox.start(this.#initialBytes);
    this.#initialBytes = undefined;
  }

  /** Client: a number for a new stream, whose answers go to `handler`. Throws the reason when the channel is closed. */
  openStream(handler: StreamHandler<Incoming>): number {
    if (this.#end.reason !== undefined) throw this.#end.reason;
    const stream = this.#streams.open(handler);
    this.#silence.streamOpened();
    this.measureDistance();
    return stream;
  }

  /** What an open stream has cost so far; keep it, and it goes on counting. */
  bytesOf(stream: number): Readonly<StreamBytes> {
    return this.#streams.bytesOf(stream) ?? { sent: 0, received: 0 };
  }

  /** Forgets a stream: nothing more is delivered, `sendData` on it stops and resolves. Tells the peer nothing. */
  closeStream(stream: number): void {
    this.#streams.close(stream);
  }

  /** Client: tells `listener` when streams are open and the peer does not say anything for long, and when it speaks after all. */
  watchSilence(listener: SilenceListener): void {
    this.#silence.listen(listener);
  }

  /** Asks the peer for a sign of life, and takes it for silent until one comes. */
  doubt(): void {
    if (this.#end.reason === undefined) this.#silence.doubt();
  }

  /** Client: the doubted connection's successor is up. This one ends as a line that dropped, unless the peer speaks soon. */
  abandon(): void {
    if (this.#end.reason === undefined) this.#silence.abandon();
  }

  /** Ends the connection as a line that dropped: nothing was heard for so long that the peer is taken for gone. */
  lose(silentMs: number): void {
    this.#end.lose(`${this.peer} was silent for ${Math.round(silentMs)} ms`);
  }

  /**
   * Queues a message, before all data. Messages arrive in the order of these calls, whatever their streams.
   * Throws ERR_HOMCC_PROTOCOL, with nothing sent, when the message is beyond the limits. Does nothing when the channel or
   * the stream is closed: handlers learn that from `onClose`.
   */
  send(stream: number, message: Outgoing, options: SendOptions = {}): void {
    const written = this.#writer.write(message);
    if (!this.#streams.has(stream) || this.#end.reason !== undefined) return;
    this.#writer.sent(written);
    const end = options.end === true ? frameFlags.end : 0;
    this.#sender.push("control", {
      type: frameTypes.message,
      flags: written.flags | end,
      stream,
      payload: written.payload,
    });
    if (options.end === true) this.#endSent(stream);
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
    return this.#data.send(stream, chunks, options);
  }

  /** Server: tells the client that no more jobs are begun. False: this client does not understand that, and is told nothing. */
  announceDrain(drain: Drain): boolean {
    if (!this.#agreement.drain) return false;
    this.#sender.push("control", {
      type: frameTypes.drain,
      flags: 0,
      stream: 0,
      payload: encodeDrain(drain),
    });
    return true;
  }

  /** Client: calls `listener` when the server begins no more jobs; at once when it has said so. */
  onDrain(listener: (drain: Drain) => void): void {
    this.#onDrain = listener;
    if (this.#drain !== undefined) listener(this.#drain);
  }

  /** Resolves when the peer has received all that was handed to the socket until now, or the connection has ended. */
  async received(): Promise<void> {
    await Promise.race([this.#sender.pulse.receipt(), this.closed]);
  }

  /** Ends the connection as a line that drops does: a peer expects this end back. Resolves when the socket is closed. */
  drop(reason: string): Promise<void> {
    return this.#end.drop(reason);
  }

  /** Says goodbye with `reason` and ends the connection; open streams are told. Resolves when the socket is closed. */
  close(reason: string): Promise<void> {
    return this.#end.close(reason);
  }

  /** Ends the connection because of a peer's mistake or one of ours; the peer is told the message. Gives the reason it ended with. */
  fail(error: unknown): HomccError {
    return this.#end.fail(error);
  }

  #receive(frame: Frame): void {
    switch (frame.type) {
      case frameTypes.message:
        this.#streams.receiveMessage(frame);
        break;
      case frameTypes.data:
        this.#streams.receiveData(frame);
        break;
      case frameTypes.ping:
        this.#sender.pulse.pinged(frame.payload);
        break;
      case frameTypes.pong:
        this.#sender.pulse.answered(frame.payload);
        break;
      case frameTypes.drain:
        if (this.#role === "client" && this.#drain === undefined) {
          this.#drain = decodeDrain(frame.payload);
          this.#onDrain(this.#drain);
        }
        break;
      case frameTypes.goodbye:
        this.#end.peerLeaves(frame.payload);
        break;
      default:
      // Of a later version, which must not rely on it.
    }
  }

  #endSent(stream: number): void {
    if (this.#role === "server") this.closeStream(stream);
  }

  #sending(frame: Frame): void {
    this.#heartbeat.sent();
    const open = this.#streams.bytesOf(frame.stream);
    if (open !== undefined) open.sent += frameHeaderBytes + frame.payload.byteLength;
  }

  #stop(): void {
    this.#heartbeat.stop();
    this.#silence.stop();
    this.#sender.stop();
  }
}
