import type { Schedule } from "./schedule.ts";

/** One direction of the emulated link. */
export interface DirectionSettings {
  readonly megabitsPerSecond: number;
  /** One way. */
  readonly delayMs: number;
  /** Probability that a segment is lost on the way. */
  readonly loss: number;
}

export interface DirectionCounters {
  /** What the programs sent. */
  readonly payloadBytes: number;
  /** With the headers and acknowledgements of TCP over IPv4, and with what was lost. An estimate. */
  readonly wireBytes: number;
}

/** Ethernet's payload without the headers of IPv4 and TCP with time stamps. */
export const segmentBytes = 1448;
const headerBytes = 52;
/** So far ahead a segment is given its place on the line, so that there is a turn each few segments only. */
const horizonMs = 2;

/** What waits to cross: one direction of one connection. */
export interface Sender {
  /** Up to `maxBytes` of what may be sent now; `undefined` when nothing may. */
  take(maxBytes: number): Uint8Array | undefined;
  /** `bytes` arrive at that time; `wasLost` says that they were sent twice. */
  sent(bytes: Uint8Array, arrivesAtMs: number, wasLost: boolean): void;
}

/**
 * A line that sends one segment after the other. Connections take turns, and what waits, waits at its sender: there is
 * no router's buffer that fills up.
 */
export class Direction {
  readonly settings: DirectionSettings;
  readonly #schedule: Schedule;
  readonly #random: () => number;
  readonly #quantumBytes: number;
  readonly #waiting: Sender[] = [];
  readonly #isWaiting = new Set<Sender>();
  #freeAtMs = 0;
  #isPumping = false;
  #payloadBytes = 0;
  #wireBytes = 0;

  constructor(settings: DirectionSettings, schedule: Schedule, random: () => number) {
    this.settings = settings;
    this.#schedule = schedule;
    this.#random = random;
    const segments = Math.max(1, Math.floor((this.#bytesPerMs * horizonMs) / 4 / segmentBytes));
    this.#quantumBytes = segments * segmentBytes;
  }

  get counters(): DirectionCounters {
    return { payloadBytes: this.#payloadBytes, wireBytes: Math.round(this.#wireBytes) };
  }

  get #bytesPerMs(): number {
    return (this.settings.megabitsPerSecond * 1e6) / 8 / 1000;
  }

  /** The sender has something. */
  offer(sender: Sender): void {
    this.#enqueue(sender);
    this.#pump();
  }

  #enqueue(sender: Sender): void {
    if (this.#isWaiting.has(sender)) return;
    this.#isWaiting.add(sender);
    this.#waiting.push(sender);
  }

  /** Bytes that take their time on the line and belong to nobody: acknowledgements, handshakes. Returns when they are through. */
  occupy(bytes: number): number {
    this.#wireBytes += bytes;
    this.#freeAtMs = Math.max(this.#freeAtMs, performance.now()) + bytes / this.#bytesPerMs;
    return this.#freeAtMs;
  }

  #pump(): void {
    if (this.#isPumping) return;
    while (this.#freeAtMs <= performance.now() + horizonMs) {
      const sender = this.#waiting.shift();
      if (sender === undefined) return;
      this.#isWaiting.delete(sender);
      const bytes = sender.take(this.#quantumBytes);
      if (bytes === undefined) continue;
      this.#send(sender, bytes);
      this.#enqueue(sender);
    }
    if (this.#waiting.length === 0) return;
    this.#isPumping = true;
    this.#schedule.at(this.#freeAtMs - horizonMs, () => {
      this.#isPumping = false;
      this.#pump();
    });
  }

  #send(sender: Sender, bytes: Uint8Array): void {
    const segments = Math.ceil(bytes.byteLength / segmentBytes);
    const wasLost = this.#random() >= (1 - this.settings.loss) ** segments;
    const wireBytes = bytes.byteLength + segments * headerBytes;
    this.#payloadBytes += bytes.byteLength;
    const leavesAtMs = this.occupy(wasLost ? wireBytes + segmentBytes + headerBytes : wireBytes);
    sender.sent(bytes, leavesAtMs + this.settings.delayMs, wasLost);
  }
}

/** A receiver answers each second segment. */
export function acknowledgementBytes(payloadBytes: number): number {
  return Math.ceil(payloadBytes / segmentBytes / 2) * headerBytes;
}

/** Of the first packet of a connection each way. */
export const handshakeBytes = 60;
