import type { Socket } from "node:net";
import { acknowledgementBytes, type Direction, segmentBytes, type Sender } from "./direction.ts";
import type { Schedule } from "./schedule.ts";

/** Linux's first window (RFC 6928). */
const firstWindowBytes = 10 * segmentBytes;
/** Linux's default limit of a socket's receive buffer, from which it lets half be in flight. */
const maxWindowBytes = 3 << 20;
/** After so long without a word Linux starts again with the first window. */
const idleMs = 200;
/** What the sender's kernel would take. */
const maxPendingBytes = 256 << 10;
/** Node reads up to that much at once. It is read as soon as there is room: a sender that cannot send for long (icecream's: 12 s) gives up. */
const readBytes = 64 << 10;
/** What the receiver's kernel would hold for a program that does not read. */
const maxUnreadBytes = 4 << 20;

/**
 * One direction of one connection, with what TCP would add to rate and delay: a window that begins small and doubles
 * each round trip, halves with a loss, and a loss that holds up all behind it for a round trip.
 */
export class Flow implements Sender {
  readonly #direction: Direction;
  readonly #back: Direction;
  readonly #schedule: Schedule;
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #pending: Buffer[] = [];
  #pendingBytes = 0;
  #flightBytes = 0;
  #windowBytes = firstWindowBytes;
  #thresholdBytes = maxWindowBytes;
  #lastArrivalMs = 0;
  #lastSentMs = 0;

  /** Nothing is sent before `opensAtMs`, when the handshake is over. */
  constructor(
    ends: { readonly from: Socket; readonly to: Socket; readonly opensAtMs: number },
    direction: Direction,
    back: Direction,
    schedule: Schedule,
  ) {
    this.#direction = direction;
    this.#back = back;
    this.#schedule = schedule;
    this.#from = ends.from;
    this.#to = ends.to;
    this.#from.pause();
    schedule.at(ends.opensAtMs, () => this.#open());
  }

  #open(): void {
    this.#from.on("data", (chunk: Buffer) => {
      this.#pending.push(chunk);
      this.#pendingBytes += chunk.byteLength;
      if (this.#pendingBytes >= maxPendingBytes) this.#from.pause();
      this.#direction.offer(this);
    });
    this.#from.on("end", () => this.#endWhenSent());
    this.#to.on("drain", () => this.#direction.offer(this));
    this.#from.resume();
  }

  take(maxBytes: number): Uint8Array | undefined {
    if (this.#flightBytes === 0 && performance.now() - this.#lastSentMs > idleMs)
      this.#windowBytes = Math.min(this.#windowBytes, firstWindowBytes);
    const windowBytes = Math.min(maxBytes, Math.floor(this.#windowBytes - this.#flightBytes));
    const [first] = this.#pending;
    // Rather wait for the window than send a part of a segment.
    const leastBytes = Math.min(segmentBytes, this.#pendingBytes);
    if (first === undefined || windowBytes < leastBytes || this.#to.writableLength > maxUnreadBytes)
      return undefined;
    let taken: Buffer;
    if (first.byteLength >= windowBytes) {
      taken = first.subarray(0, windowBytes);
      if (first.byteLength === windowBytes) this.#pending.shift();
      else this.#pending[0] = first.subarray(windowBytes);
    } else {
      taken = Buffer.concat(this.#pending).subarray(0, windowBytes);
      this.#dropPending(taken.byteLength);
    }
    this.#pendingBytes -= taken.byteLength;
    if (this.#pendingBytes < maxPendingBytes - readBytes) this.#from.resume();
    return taken;
  }

  sent(bytes: Uint8Array, arrivesAtMs: number, wasLost: boolean): void {
    const roundTripMs = this.#direction.settings.delayMs + this.#back.settings.delayMs;
    if (wasLost) {
      this.#thresholdBytes = Math.max(2 * segmentBytes, this.#windowBytes / 2);
      this.#windowBytes = this.#thresholdBytes;
    }
    this.#flightBytes += bytes.byteLength;
    this.#lastSentMs = performance.now();
    this.#lastArrivalMs = Math.max(this.#lastArrivalMs, arrivesAtMs + (wasLost ? roundTripMs : 0));
    this.#schedule.at(this.#lastArrivalMs, () => {
      if (!this.#to.destroyed) this.#to.write(bytes);
      this.#back.occupy(acknowledgementBytes(bytes.byteLength));
      this.#schedule.at(performance.now() + this.#back.settings.delayMs, () =>
        this.#acknowledged(bytes.byteLength),
      );
    });
  }

  #acknowledged(bytes: number): void {
    this.#flightBytes -= bytes;
    const isSlowStart = this.#windowBytes < this.#thresholdBytes;
    this.#windowBytes += isSlowStart ? bytes : (bytes * segmentBytes) / this.#windowBytes;
    this.#windowBytes = Math.min(this.#windowBytes, maxWindowBytes);
    if (this.#pendingBytes > 0) this.#direction.offer(this);
  }

  #dropPending(bytes: number): void {
    let left = bytes;
    for (let first = this.#pending[0]; first !== undefined && left > 0; first = this.#pending[0]) {
      if (first.byteLength > left) {
        this.#pending[0] = first.subarray(left);
        return;
      }
      left -= first.byteLength;
      this.#pending.shift();
    }
  }

  /** The end of the stream follows the last byte. */
  #endWhenSent(): void {
    const soonMs = performance.now() + this.#direction.settings.delayMs;
    if (this.#to.destroyed) return;
    if (this.#pendingBytes > 0) this.#schedule.at(soonMs + 1, () => this.#endWhenSent());
    else this.#schedule.at(Math.max(this.#lastArrivalMs, soonMs), () => this.#to.end());
  }
}
