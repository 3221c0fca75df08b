import { HomccError } from "@homcc/observability/error";
import { type Frame, frameTypes } from "@homcc/protocol/frame";
import { maxPingBytes } from "@homcc/protocol/limits";
import type { SendPace } from "./send-pace.ts";

export interface PulseOptions {
  /** Is told of every ping and its pong, and says whether it wants more of them. */
  readonly pace: SendPace;
  /** Of the handshake, where this end measured it. */
  readonly roundTripMs: number | undefined;
  /** The socket takes no more: a ping would only wait. */
  readonly isBlocked: () => boolean;
  /** Sends a frame before all others; `written` is called once it is handed to the socket. */
  readonly push: (frame: Frame, written?: () => void) => void;
  /** A round trip was measured, so that `pace` may let more pass. */
  readonly measured: () => void;
}

/** Room for this end's own number in a ping; the pong repeats it. */
const tokenBytes = 4;

/** Pings of this end and what their pongs say, and pongs for the pings of the peer. */
export class Pulse {
  readonly #options: PulseOptions;
  #pingCount = 0;
  #roundTripMs: number | undefined;
  /** A ping of `measureDistance` is on its way. */
  #isMeasuring = false;
  #pongQueued = false;
  /** Of a ping that came while a pong waited, the newest: it answers those before, too. */
  #unansweredPing: Buffer | undefined;
  /** By the number of the ping whose pong says that all before it was received. */
  readonly #receipts = new Map<number, () => void>();

  constructor(options: PulseOptions) {
    this.#options = options;
    this.#roundTripMs = options.roundTripMs;
  }

  /** Of the handshake or the latest ping; `undefined` before any. */
  get roundTripMs(): number | undefined {
    return this.#roundTripMs;
  }

  ping(): void {
    if (!this.#options.isBlocked()) this.#options.push(this.mark());
  }

  /** One ping, unless there was any or the handshake has measured. */
  pingFirst(): void {
    if (this.#roundTripMs === undefined && this.#pingCount === 0) this.ping();
  }

  /** One ping after the other, until `pace` has seen enough round trips. */
  measureDistance(): void {
    if (this.#isMeasuring) return;
    this.#isMeasuring = this.#options.pace.wantsRoundTrip && !this.#options.isBlocked();
    if (this.#isMeasuring) this.ping();
  }

  /** A ping that the caller writes now, or next. */
  mark(): Frame {
    const token = ++this.#pingCount >>> 0;
    const payload = Buffer.alloc(tokenBytes);
    payload.writeUInt32LE(token);
    this.#options.pace.marked(token);
    return { type: frameTypes.ping, flags: 0, stream: 0, payload };
  }

  /** Resolves when the peer has read all that was handed to the socket until now; never, when the connection ends before. */
  receipt(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const frame = this.mark();
    this.#receipts.set(this.#pingCount >>> 0, resolve);
    this.#options.push(frame);
    return promise;
  }

  /** The peer's ping came. Throws ERR_HOMCC_PROTOCOL when it is too long. One pong waits at a time: a flood of pings makes no queue. */
  pinged(payload: Uint8Array): void {
    if (payload.byteLength > maxPingBytes) {
      throw new HomccError(
        "ERR_HOMCC_PROTOCOL",
        `a ping of ${payload.byteLength} bytes; at most ${maxPingBytes} are allowed`,
      );
    }
    const copy = Buffer.from(payload);
    if (this.#pongQueued) {
      this.#unansweredPing = copy;
      return;
    }
    this.#pongQueued = true;
    this.#options.push({ type: frameTypes.pong, flags: 0, stream: 0, payload: copy }, () => {
      this.#pongQueued = false;
      const unanswered = this.#unansweredPing;
      this.#unansweredPing = undefined;
      if (unanswered !== undefined) this.pinged(unanswered);
    });
  }

  /** The peer's answer to one of the pings came. */
  answered(payload: Uint8Array): void {
    if (payload.byteLength !== tokenBytes) return;
    const token = Buffer.from(payload).readUInt32LE();
    for (const [number, received] of this.#receipts) {
      if (number > token) continue;
      this.#receipts.delete(number);
      received();
    }
    const { pace, measured } = this.#options;
    const roundTripMs = pace.answered(token);
    if (roundTripMs === undefined) return;
    this.#roundTripMs = roundTripMs;
    this.#isMeasuring = false;
    measured();
  }
}
