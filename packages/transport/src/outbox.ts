import type { Duplex } from "node:stream";
import { encodeHeader, type Frame, frameFlags, frameHeaderBytes, frameTypes } from "@homcc/protocol/frame";
import type { Clock } from "@homcc/observability/clock";
import type { LinkRate } from "./link-rate.ts";
import type { SendPace } from "./send-pace.ts";
import type { Timers } from "./timers.ts";

/**
 * Served in this order: a job's message overtakes every blob, a small header every object, and whatever a job waits for what
 * is sent in the `background`. `pulse`: pings and pongs, which
 * measure the link and wait for nothing but the socket.
 */
export const priorities = ["pulse", "control", "small", "large", "background"] as const;
export type Priority = (typeof priorities)[number];

interface Item {
  readonly frame: Frame;
  /** Bytes of the payload that left in pieces. */
  sentBytes: number;
  readonly written: () => void;
}

export interface OutboxOptions {
  readonly rate: LinkRate;
  readonly pace: SendPace;
  readonly timers: Timers;
  readonly clock: Clock;
  /** The peer puts pieces of data frames together. */
  readonly pieces: boolean;
  /** A ping for `pace`, whose `marked` the caller has called. */
  readonly mark: () => Frame;
}

/** Payloads below this are copied behind their header: one write of 5 kB is cheaper than two. */
const joinBelowBytes = 4096;

/**
 * Frames that wait for the socket, by priority. They are handed over no faster than `SendPace` says, and nothing is while the
 * socket holds more than its high-water mark (64 KiB), so that what becomes urgent waits for little.
 */
export class Outbox {
  readonly #socket: Duplex;
  readonly #options: OutboxOptions;
  #heldBytes = 0;
  readonly #queues: Readonly<Record<Priority, Item[]>> = {
    pulse: [],
    control: [],
    small: [],
    large: [],
    background: [],
  };
  #queuedBytes = 0;
  #sentBytes = 0;
  #blocked = false;
  #blockedSinceMs = 0;
  #movedAtMs = 0;
  #scheduled = false;
  #cancelTimer: (() => void) | undefined;

  constructor(socket: Duplex, options: OutboxOptions) {
    this.#socket = socket;
    this.#options = options;
    socket.on("drain", this.#drained);
  }

  /** Bytes not handed to the socket yet. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Bytes handed to the socket, headers included. */
  get sentBytes(): number {
    return this.#sentBytes;
  }

  /** True when the socket takes no more: a ping would only wait in the queue. */
  get blocked(): boolean {
    return this.#blocked;
  }

  /** When the socket took something last, while it takes no more. */
  get blockedSinceMs(): number {
    return this.#blockedSinceMs;
  }

  /**
   * How long frames other than pings wait and none of them has left. A peer that answers no ping is sent no more than fits on the way, so its
   * socket may take all of it and never be blocked.
   */
  get stalledMs(): number {
    return this.#queuedBytes === 0 ? 0 : this.#options.clock.monotonicMs() - this.#movedAtMs;
  }

  /** Queues a frame; frames queued in the same turn of the event loop leave in one write. `written` is called once it is handed over. */
  push(priority: Priority, frame: Frame, written: () => void = () => {}): void {
    const item = { frame, sentBytes: 0, written };
    this.#queues[priority].push(item);
    if (this.#queuedBytes === 0) this.#movedAtMs = this.#options.clock.monotonicMs();
    this.#queuedBytes += leftOf(item);
    this.#schedule();
  }

  /** Looks again whether something may be sent: a pong came. */
  resume(): void {
    if (this.#cancelTimer !== undefined) this.#schedule();
  }

  /** Forgets what is queued, calling its `written` so that nobody waits for it, and sends no more. */
  discard(): void {
    this.#socket.off("drain", this.#drained);
    this.#stopTimer();
    this.#blocked = true;
    this.#queuedBytes = 0;
    for (const priority of priorities) {
      for (const item of this.#queues[priority].splice(0)) item.written();
    }
  }

  /** Hands the queued control frames to the socket at once, whatever its buffer holds: for the last words. */
  flushControl(): void {
    for (const item of this.#queues.control.splice(0)) this.#write(item, item.frame, leftOf(item));
  }

  readonly #drained = (): void => {
    this.#blocked = false;
    this.#options.rate.drained(this.#heldBytes);
    this.#flush();
  };

  #schedule(): void {
    if (this.#scheduled || this.#blocked) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    const { pace, rate, timers } = this.#options;
    this.#stopTimer();
    this.#socket.cork();
    while (!this.#blocked) {
      const priority = priorities.find((one) => this.#queues[one].length > 0);
      if (priority === undefined) {
        pace.idle();
        rate.idle();
        break;
      }
      if (priority !== "pulse" && !pace.isOpen) {
        this.#cancelTimer = timers.after(pace.delayMs, () => {
          this.#cancelTimer = undefined;
          this.#flush();
        });
        if (pace.wantsMark) this.#writeMark();
        break;
      }
      this.#writeNext(priority);
      if (pace.wantsMark) this.#writeMark();
    }
    if (this.#blocked) {
      this.#blockedSinceMs = this.#options.clock.monotonicMs();
      this.#heldBytes = this.#socket.writableLength;
      rate.filled();
    }
    this.#socket.uncork();
  }

  #writeNext(priority: Priority): void {
    const queue = this.#queues[priority];
    const item = queue[0];
    if (item === undefined) return;
    const { frame, sentBytes } = item;
    if (priority !== "pulse") this.#movedAtMs = this.#options.clock.monotonicMs();
    const leftBytes = frame.payload.byteLength - sentBytes;
    const { pieceBytes } = this.#options.pace;
    // Not for a rest that is hardly worth a header of its own.
    if (frame.type === frameTypes.data && this.#options.pieces && leftBytes > 1.5 * pieceBytes) {
      const payload = frame.payload.subarray(sentBytes, sentBytes + pieceBytes);
      item.sentBytes += pieceBytes;
      this.#write(undefined, { ...frame, flags: frameFlags.more, payload }, pieceBytes);
      return;
    }
    queue.shift();
    const rest = sentBytes === 0 ? frame : { ...frame, payload: frame.payload.subarray(sentBytes) };
    this.#write(item, rest, frameHeaderBytes + leftBytes);
  }

  #writeMark(): void {
    const frame = this.#options.mark();
    this.#write(undefined, frame, 0);
  }

  /** `item`: it is complete with this frame. `unqueuedBytes`: what no longer waits. */
  #write(item: Item | undefined, frame: Frame, unqueuedBytes: number): void {
    const bytes = frameHeaderBytes + frame.payload.byteLength;
    this.#queuedBytes -= unqueuedBytes;
    this.#sentBytes += bytes;
    const header = encodeHeader(frame);
    let goOn: boolean;
    if (frame.payload.byteLength < joinBelowBytes) {
      goOn = this.#socket.write(Buffer.concat([header, frame.payload]));
    } else {
      this.#socket.write(header);
      goOn = this.#socket.write(frame.payload);
    }
    this.#options.pace.sent(bytes);
    this.#blocked ||= !goOn;
    item?.written();
  }

  #stopTimer(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }
}

/** On the wire, but for the headers of pieces. */
function leftOf({ frame, sentBytes }: Item): number {
  return frameHeaderBytes + frame.payload.byteLength - sentBytes;
}
