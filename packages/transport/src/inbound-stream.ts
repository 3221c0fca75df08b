import { unpack, unpackNow, threadPoolAboveBytes } from "@homcc/protocol/compression";
import { maxDataFrameBytes } from "@homcc/protocol/limits";
import { release } from "@homcc/cas/release";
import type { HomccError } from "@homcc/observability/error";

/** Who takes what arrives on one stream. Calls come one at a time and in the order of arrival. */
export interface StreamHandler<Incoming> {
  onMessage(message: Incoming): void;
  /**
   * Decompressed bytes, the handler's to keep; never a whole file unless it is small. While a returned promise is
   * pending, nothing more of this stream is delivered, and after 4 MiB the connection is not read any further.
   */
  onData?(bytes: Uint8Array): void | Promise<void>;
  /** The peer sent everything. */
  onEnd?(): void;
  /** The connection ended before the stream did. The last call, and never after `onEnd` on the client. */
  onClose?(reason: HomccError): void;
}

export type Delivery<Incoming> =
  | { readonly kind: "message"; readonly message: Incoming }
  | { readonly kind: "data"; readonly payload: Uint8Array; readonly zstd: boolean }
  | { readonly kind: "end" }
  | { readonly kind: "close"; readonly reason: HomccError };

export interface InboundStreamEvents {
  /** Bytes of a data frame that no longer wait. */
  delivered(bytes: number): void;
  ended(): void;
  /** The handler threw, or the data is damaged. */
  failed(error: unknown): void;
}

/** What a queued frame costs besides its payload. */
const overheadBytes = 128;

/** Delivered frames whose places in the queue are kept before it is copied. */
const compactAfter = 64;

/** Wire bytes of one stream, frame headers included. */
export interface StreamBytes {
  sent: number;
  received: number;
}

/** The order of one stream: synchronous while its consumer keeps up, a queue while it does not. */
export class InboundStream<Incoming> {
  /** Goes on counting while the stream is open. */
  readonly bytes: StreamBytes = { sent: 0, received: 0 };
  readonly #handler: StreamHandler<Incoming>;
  readonly #events: InboundStreamEvents;
  #queue: Delivery<Incoming>[] = [];
  #next = 0;
  #state: "idle" | "delivering" | "closed" = "idle";
  #endReceived = false;

  constructor(handler: StreamHandler<Incoming>, events: InboundStreamEvents) {
    this.#handler = handler;
    this.#events = events;
  }

  /** The peer's end flag was seen, delivered or not. */
  get endReceived(): boolean {
    return this.#endReceived;
  }

  /** Takes a delivery; gives the bytes it adds to what waits, which `delivered` takes off again. */
  push(delivery: Delivery<Incoming>): number {
    if (this.#state === "closed") return 0;
    if (delivery.kind === "end") this.#endReceived = true;
    this.#queue.push(delivery);
    return waitingBytes(delivery);
  }

  /** Delivers what waits until the consumer asks for time. */
  run(): void {
    if (this.#state !== "idle") return;
    this.#state = "delivering";
    try {
      for (;;) {
        const delivery = this.#shift();
        if (delivery === undefined) break;
        // Before its memory is given back.
        const bytes = waitingBytes(delivery);
        const pending = this.#deliver(delivery);
        if (pending === undefined) {
          this.#events.delivered(bytes);
          continue;
        }
        void this.#resumeAfter(pending, bytes);
        return;
      }
      if (this.#isOpen()) this.#state = "idle";
    } catch (error) {
      this.#events.failed(error);
    }
  }

  /** Drops what waits and tells the handler that the connection is gone. */
  abort(reason: HomccError): void {
    if (this.#state === "closed") return;
    this.close();
    this.#state = "idle";
    this.push({ kind: "close", reason });
    this.run();
  }

  /** Nothing is delivered any more. */
  close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    for (let delivery = this.#shift(); delivery !== undefined; delivery = this.#shift()) {
      this.#events.delivered(waitingBytes(delivery));
    }
  }

  async #resumeAfter(pending: Promise<void>, bytes: number): Promise<void> {
    try {
      await pending;
      this.#events.delivered(bytes);
      if (!this.#isOpen()) return;
      this.#state = "idle";
      this.run();
    } catch (error) {
      this.#events.delivered(bytes);
      if (this.#isOpen()) this.#events.failed(error);
    }
  }

  #deliver(delivery: Delivery<Incoming>): Promise<void> | undefined {
    switch (delivery.kind) {
      case "message":
        this.#handler.onMessage(delivery.message);
        break;
      case "data":
        return this.#deliverData(delivery.payload, delivery.zstd);
      case "end":
        this.#handler.onEnd?.();
        this.#events.ended();
        break;
      case "close":
        this.close();
        this.#handler.onClose?.(delivery.reason);
        break;
    }
    return undefined;
  }

  #deliverData(payload: Uint8Array, zstd: boolean): Promise<void> | undefined {
    if (!zstd) return this.#consume(payload);
    if (payload.byteLength <= threadPoolAboveBytes) {
      const bytes = unpackNow(payload, maxDataFrameBytes);
      release(payload);
      return this.#consume(bytes);
    }
    return unpack(payload, maxDataFrameBytes).then((bytes) => {
      release(payload);
      return this.#isOpen() ? this.#consume(bytes) : undefined;
    });
  }

  #consume(bytes: Uint8Array): Promise<void> | undefined {
    return bytes.byteLength === 0 ? undefined : (this.#handler.onData?.(bytes) ?? undefined);
  }

  #isOpen(): boolean {
    return this.#state !== "closed";
  }

  #shift(): Delivery<Incoming> | undefined {
    const delivery = this.#queue[this.#next++];
    if (delivery === undefined || this.#next === compactAfter) {
      this.#queue = this.#queue.slice(this.#next);
      this.#next = 0;
    }
    return delivery;
  }
}

function waitingBytes(delivery: Delivery<unknown>): number {
  return overheadBytes + (delivery.kind === "data" ? delivery.payload.byteLength : 0);
}
