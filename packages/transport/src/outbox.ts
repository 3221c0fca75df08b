import type { Duplex } from "node:stream";
import type { LinkRate } from "./link-rate.ts";
import { encodeHeader, type Frame } from "@homcc/protocol/frame";

/** Served in this order: a job's message overtakes every blob, a small header every object. */
export const priorities = ["control", "small", "large"] as const;
export type Priority = (typeof priorities)[number];

interface Item {
  readonly header: Buffer;
  readonly payload: Uint8Array;
  readonly written: () => void;
}

/** Payloads below this are copied behind their header: one write of 5 kB is cheaper than two. */
const joinBelowBytes = 4096;

/**
 * Frames that wait for the socket, by priority. Nothing is written while the socket holds more than its high-water
 * mark (64 KiB), so that what becomes urgent waits for little more than the kernel's buffer.
 */
export class Outbox {
  readonly #socket: Duplex;
  readonly #rate: LinkRate;
  #heldBytes = 0;
  readonly #queues: Readonly<Record<Priority, Item[]>> = { control: [], small: [], large: [] };
  #queuedBytes = 0;
  #sentBytes = 0;
  #blocked = false;
  #scheduled = false;

  constructor(socket: Duplex, rate: LinkRate) {
    this.#socket = socket;
    this.#rate = rate;
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

  /** Queues a frame; frames queued in the same turn of the event loop leave in one write. `written` is called once it is handed over. */
  push(priority: Priority, frame: Frame, written: () => void = () => {}): void {
    const item = { header: encodeHeader(frame), payload: frame.payload, written };
    this.#queues[priority].push(item);
    this.#queuedBytes += sizeOf(item);
    if (this.#scheduled || this.#blocked) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  /** Forgets what is queued, calling its `written` so that nobody waits for it, and sends no more. */
  discard(): void {
    this.#socket.off("drain", this.#drained);
    this.#blocked = true;
    this.#queuedBytes = 0;
    for (const priority of priorities) {
      for (const item of this.#queues[priority].splice(0)) item.written();
    }
  }

  /** Hands the queued control frames to the socket at once, whatever its buffer holds: for the last words. */
  flushControl(): void {
    for (const item of this.#queues.control.splice(0)) this.#write(item);
  }

  readonly #drained = (): void => {
    this.#blocked = false;
    this.#rate.drained(this.#heldBytes);
    this.#flush();
  };

  #flush(): void {
    this.#socket.cork();
    while (!this.#blocked) {
      const item = this.#next();
      if (item === undefined) {
        this.#rate.idle();
        break;
      }
      this.#blocked = !this.#write(item);
    }
    if (this.#blocked) {
      this.#heldBytes = this.#socket.writableLength;
      this.#rate.filled();
    }
    this.#socket.uncork();
  }

  #next(): Item | undefined {
    for (const priority of priorities) {
      const item = this.#queues[priority].shift();
      if (item !== undefined) return item;
    }
    return undefined;
  }

  #write(item: Item): boolean {
    this.#queuedBytes -= sizeOf(item);
    this.#sentBytes += sizeOf(item);
    let goOn: boolean;
    if (item.payload.byteLength < joinBelowBytes) {
      goOn = this.#socket.write(Buffer.concat([item.header, item.payload]));
    } else {
      this.#socket.write(item.header);
      goOn = this.#socket.write(item.payload);
    }
    item.written();
    return goOn;
  }
}

function sizeOf(item: Item): number {
  return item.header.byteLength + item.payload.byteLength;
}
