import { HomccError } from "@homcc/observability/error";
import { type Frame, frameFlags, frameHeaderBytes, frameTypes } from "@homcc/protocol/frame";
import { FramePieces } from "@homcc/protocol/frame-pieces";
import { maxOpenStreams } from "@homcc/protocol/limits";
import type { Role } from "./channel-options.ts";
import type { ConnectionEnd } from "./connection-end.ts";
import { InboundStream, type StreamBytes, type StreamHandler } from "./inbound-stream.ts";
import type { Inbox } from "./inbox.ts";
import type { MessageReader } from "./message-reader.ts";

/**
 * Decides what becomes of a stream that the peer opens with `message`; the message is not delivered again.
 * `undefined`: nothing of this stream is wanted.
 */
export type StreamAcceptor<Incoming> = (
  stream: number,
  message: Incoming,
) => StreamHandler<Incoming> | undefined;

export interface InboundStreamsOptions<Incoming> {
  readonly role: Role;
  /** Host and port, for messages. */
  readonly peer: string;
  readonly reader: Pick<MessageReader<Incoming>, "remember" | "read">;
  /** Is told what waits for its handler. */
  readonly inbox: Pick<Inbox, "waits" | "delivered">;
  readonly end: Pick<ConnectionEnd, "reason" | "fail">;
  /** The first stream opened, or the last one closed. */
  readonly setBusy: (isBusy: boolean) => void;
}

/**
 * The streams that are open on one end: gives each message and all data to the stream that they are for. Throws ERR_HOMCC_PROTOCOL for
 * frames that no peer sends.
 */
export class InboundStreams<Incoming> {
  readonly #options: InboundStreamsOptions<Incoming>;
  readonly #streams = new Map<number, InboundStream<Incoming>>();
  readonly #pieces = new FramePieces();
  #accept: StreamAcceptor<Incoming> = () => undefined;
  #lastStream = 0;

  constructor(options: InboundStreamsOptions<Incoming>) {
    this.#options = options;
  }

  get size(): number {
    return this.#streams.size;
  }

  has(stream: number): boolean {
    return this.#streams.has(stream);
  }

  /** What an open stream has cost so far; `undefined` when it is not open. */
  bytesOf(stream: number): StreamBytes | undefined {
    return this.#streams.get(stream)?.bytes;
  }

  /** Server: streams that the client opens go to `acceptor` from now on. */
  accept(acceptor: StreamAcceptor<Incoming>): void {
    this.#accept = acceptor;
  }

  /** Client: a number for a new stream, whose answers go to `handler`. */
  open(handler: StreamHandler<Incoming>): number {
    if (this.#streams.size >= maxOpenStreams) {
      const { peer } = this.#options;
      throw new HomccError("ERR_HOMCC_PROTOCOL", `more than ${maxOpenStreams} streams open to ${peer}`);
    }
    const stream = ++this.#lastStream;
    this.#add(stream, handler);
    return stream;
  }

  /** Nothing more is delivered. */
  close(stream: number): void {
    this.#streams.get(stream)?.close();
    this.#streams.delete(stream);
    if (this.#streams.size === 0) this.#options.setBusy(false);
  }

  /** This end has sent everything: a server's word is the stream's last. */
  endSent(stream: number): void {
    if (this.#options.role === "server") this.close(stream);
  }

  /** The connection has ended: every stream that did not is told. */
  closeAll(reason: HomccError): void {
    const streams = [...this.#streams.values()];
    this.#streams.clear();
    // What arrived in full is still delivered: a slow disk does not cost a finished job.
    for (const stream of streams) {
      if (!stream.endReceived || this.#options.role === "server") stream.push({ kind: "close", reason });
      stream.run();
    }
  }

  receiveMessage(frame: Frame): void {
    this.#receive(frame, this.#options.reader.remember(frame));
  }

  receiveData(frame: Frame): void {
    const whole = this.#pieces.take(frame);
    if (whole !== undefined) this.#receive(whole, undefined);
  }

  #receive(frame: Frame, text: Uint8Array | undefined): void {
    const inbound = this.#streams.get(frame.stream);
    if (inbound === undefined) {
      this.#receiveOnNewStream(frame, text);
      return;
    }
    inbound.bytes.received += frameHeaderBytes + frame.payload.byteLength;
    if (inbound.endReceived && !this.#isCancellation(frame)) {
      throw new HomccError("ERR_HOMCC_PROTOCOL", `a frame on stream ${frame.stream} after its end`);
    }
    const { inbox, reader } = this.#options;
    if (frame.type === frameTypes.data) {
      const zstd = (frame.flags & frameFlags.zstd) !== 0;
      inbox.waits(inbound.push({ kind: "data", payload: frame.payload, zstd }));
    } else {
      const message = reader.read(frame, text);
      if (message !== undefined) inbox.waits(inbound.push({ kind: "message", message }));
    }
    this.#finishReceiving(inbound, frame);
  }

  /** Only the client opens streams, in ascending order; what is neither open nor new came late and is ignored. */
  #receiveOnNewStream(frame: Frame, text: Uint8Array | undefined): void {
    if (frame.stream === 0) throw new HomccError("ERR_HOMCC_PROTOCOL", "a message or data on stream 0");
    if (this.#options.role === "client" || frame.stream <= this.#lastStream) return;
    if (frame.type !== frameTypes.message) {
      throw new HomccError("ERR_HOMCC_PROTOCOL", `stream ${frame.stream} begins with data`);
    }
    if (this.#streams.size >= maxOpenStreams) {
      throw new HomccError("ERR_HOMCC_PROTOCOL", `more than ${maxOpenStreams} open streams`);
    }
    this.#lastStream = frame.stream;
    const message = this.#options.reader.read(frame, text);
    if (message !== undefined) this.#receiveFirst(frame, message);
  }

  /**
   * The stream is there before its acceptor is asked, so that the acceptor may answer at once; what arrives before it
   * returned cannot exist, as nothing is read meanwhile.
   */
  #receiveFirst(frame: Frame, message: Incoming): void {
    let handler: StreamHandler<Incoming> | undefined;
    const inbound = this.#add(frame.stream, {
      onMessage: (next) => handler?.onMessage(next),
      onData: (bytes) => handler?.onData?.(bytes),
      onEnd: () => handler?.onEnd?.(),
      onClose: (reason) => handler?.onClose?.(reason),
    });
    inbound.bytes.received += frameHeaderBytes + frame.payload.byteLength;
    handler = this.#accept(frame.stream, message);
    const { reason } = this.#options.end;
    if (handler === undefined) this.close(frame.stream);
    else if (reason === undefined) this.#finishReceiving(inbound, frame);
    else handler.onClose?.(reason);
  }

  #finishReceiving(inbound: InboundStream<Incoming>, frame: Frame): void {
    if ((frame.flags & frameFlags.end) !== 0 && !inbound.endReceived) {
      this.#options.inbox.waits(inbound.push({ kind: "end" }));
    }
    inbound.run();
  }

  #add(stream: number, handler: StreamHandler<Incoming>): InboundStream<Incoming> {
    const { inbox, end, role, setBusy } = this.#options;
    const inbound = new InboundStream(handler, {
      delivered: (bytes) => inbox.delivered(bytes),
      ended: () => {
        if (role === "client") this.close(stream);
      },
      failed: (error) => inbound.abort(end.fail(error)),
    });
    this.#streams.set(stream, inbound);
    setBusy(true);
    return inbound;
  }

  /** A job may be cancelled after its stream's end flag: the one message that is welcome then. */
  #isCancellation(frame: Frame): boolean {
    return this.#options.role === "server" && frame.type === frameTypes.message;
  }
}
