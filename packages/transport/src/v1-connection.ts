import type { Socket } from "node:net";
import { describeError, HomccError } from "@homcc/observability/error";
import { encodeV1, V1Decoder, type V1Frame } from "@homcc/protocol/v1/codec";
import type { V1Message } from "@homcc/protocol/v1/messages";

export interface V1ConnectionOptions {
  /** Host and port of the peer, for messages. */
  readonly peer: string;
  /** Bytes that came with what was read before. */
  readonly initialBytes?: Uint8Array;
  readonly maxJsonBytes?: number;
  readonly maxPayloadBytes?: number;
  /** Called whenever bytes came, with their number, or were taken by the kernel. */
  readonly onBytes?: (receivedBytes?: number) => void;
}

/** Written one after the other: a long payload on a slow link then shows that it moves. */
const writeBytes = 64 << 10;

/** Without a byte from the peer. */
const lingerMs = 10_000;

/**
 * One conversation in the wire format of homcc 1.x: messages alternate, so each side sends one and waits for the next.
 * Nothing is read ahead: a message that nobody waits for stays with the kernel.
 */
export class V1Connection implements Disposable {
  readonly #socket: Socket;
  readonly #decoder: V1Decoder;
  readonly #peer: string;
  readonly #onBytes: (receivedBytes?: number) => void;
  readonly #abort = new AbortController();
  readonly #frames: V1Frame[] = [];
  #movedBytes = 0;
  /** Why nothing the peer says is understood any more: it is read and thrown away. */
  #deafness: HomccError | undefined;
  #wake = Promise.withResolvers<void>();

  constructor(socket: Socket, options: V1ConnectionOptions) {
    this.#socket = socket;
    this.#peer = options.peer;
    this.#onBytes = options.onBytes ?? (() => {});
    this.#decoder = new V1Decoder(options);
    // The last piece of a message would wait for the peer's acknowledgement of the one before: up to 40 ms.
    socket.setNoDelay(true);
    socket.pause();
    socket.on("data", (chunk: Uint8Array) => this.#read(chunk));
    socket.on("error", (error) => this.#end(lost(this.#peer, error)));
    socket.on("close", () => this.#end(lost(this.#peer)));
    socket.on("end", () => this.#end(lost(this.#peer)));
    if (options.initialBytes !== undefined && options.initialBytes.byteLength > 0)
      this.#read(options.initialBytes);
    if (socket.destroyed) this.#end(lost(this.#peer));
  }

  /** Received, or handed to the kernel. */
  get movedBytes(): number {
    return this.#movedBytes;
  }

  /** Aborted with the reason when the connection has ended. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Resolves when it is handed to the kernel. */
  async send(message: V1Message, payloads: readonly Uint8Array[] = []): Promise<void> {
    for (const piece of encodeV1(message, payloads)) {
      for (let start = 0; start < piece.byteLength; start += writeBytes) {
        const part = piece.subarray(start, start + writeBytes);
        await this.#write(part);
        this.#movedBytes += part.byteLength;
        this.#onBytes();
      }
    }
  }

  /**
   * The next message. Rejects with the reason when the connection ends first, or with that of `signal`; with
   * ERR_HOMCC_PROTOCOL when what comes is no message or beyond the limits, which can still be answered.
   */
  async receive(signal: AbortSignal): Promise<V1Frame> {
    const abort = (): void => this.#wake.resolve();
    signal.addEventListener("abort", abort, { once: true });
    try {
      for (;;) {
        signal.throwIfAborted();
        const frame = this.#frames.shift();
        if (frame !== undefined) return frame;
        if (this.#deafness !== undefined) throw this.#deafness;
        this.signal.throwIfAborted();
        this.#wake = Promise.withResolvers();
        this.#socket.resume();
        await this.#wake.promise;
      }
    } finally {
      if (this.#deafness === undefined) this.#socket.pause();
      signal.removeEventListener("abort", abort);
    }
  }

  /** Ends the connection once the peer has read what was sent, which it has a moment for. */
  finish(): void {
    this.#deafness ??= lost(this.#peer);
    this.#socket.end();
    this.#socket.resume();
    this.#socket.setTimeout(lingerMs, () => this.#socket.destroy());
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  async #write(bytes: Uint8Array): Promise<void> {
    this.signal.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const onEnd = (): void => reject(this.signal.reason);
      this.signal.addEventListener("abort", onEnd, { once: true });
      this.#socket.write(bytes, (error) => {
        this.signal.removeEventListener("abort", onEnd);
        if (error === null || error === undefined) resolve();
        else reject(lost(this.#peer, error));
      });
    });
  }

  #read(chunk: Uint8Array): void {
    if (this.signal.aborted || this.#deafness !== undefined) return;
    this.#onBytes(chunk.byteLength);
    this.#movedBytes += chunk.byteLength;
    try {
      this.#frames.push(...this.#decoder.push(chunk));
    } catch (error) {
      // A peer in the middle of a long message reads an answer only after its last byte.
      this.#deafness =
        error instanceof HomccError
          ? error
          : new HomccError("ERR_HOMCC_PROTOCOL", describeError(error), { cause: error });
      this.#socket.resume();
      this.#wake.resolve();
      return;
    }
    if (this.#frames.length > 0) {
      this.#socket.pause();
      this.#wake.resolve();
    }
  }

  #end(reason: HomccError): void {
    this.#abort.abort(reason);
    this.#wake.resolve();
  }
}

function lost(peer: string, cause?: unknown): HomccError {
  return new HomccError(
    "ERR_HOMCC_CONNECTION_LOST",
    `${peer} closed the connection`,
    cause === undefined ? {} : { cause },
  );
}
