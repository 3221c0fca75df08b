import type { Duplex } from "node:stream";
import type { Clock } from "@homcc/observability/clock";
import type { Frame } from "@homcc/protocol/frame";
import type { Role } from "./channel-options.ts";
import type { ConnectionEnd } from "./connection-end.ts";
import { LinkRate } from "./link-rate.ts";
import { Outbox, type Priority } from "./outbox.ts";
import { Pulse } from "./pulse.ts";
import { SendPace } from "./send-pace.ts";
import type { Timers } from "./timers.ts";

export interface FrameSenderOptions {
  readonly role: Role;
  /** Host and port, for messages. */
  readonly peer: string;
  readonly clock: Clock;
  readonly timers: Timers;
  /** Of the handshake, where this end measured it. */
  readonly roundTripMs: number | undefined;
  /** The peer puts pieces of data frames together. */
  readonly pieces: boolean;
  readonly end: Pick<ConnectionEnd, "reason" | "lose">;
  /** A frame is queued. */
  readonly sending: (frame: Frame) => void;
}

/** A peer that lets this much wait for it does not read. */
const maxQueuedBytes = 64 << 20;

/** A client that takes less than the kernel's buffers and one frame in this time holds memory that others need. */
const maxBlockedMs = 120_000;

/** Sends the frames of one end, measures the link by the way, and gives up a peer that takes none. */
export class FrameSender {
  readonly rate: LinkRate;
  readonly pace: SendPace;
  readonly pulse: Pulse;
  readonly #options: FrameSenderOptions;
  readonly #outbox: Outbox;
  #limit: () => number | undefined = () => undefined;

  constructor(socket: Duplex, options: FrameSenderOptions) {
    this.#options = options;
    const { clock, timers, roundTripMs, pieces } = options;
    this.rate = new LinkRate(clock);
    this.pace = new SendPace({
      clock,
      ...(roundTripMs === undefined ? {} : { roundTripMs }),
      limitBytesPerSecond: () => this.#limit(),
    });
    this.pulse = new Pulse({
      pace: this.pace,
      roundTripMs,
      isBlocked: () => this.#outbox.blocked,
      push: (frame, written) => this.push("pulse", frame, written),
      measured: () => {
        this.measureDistance();
        this.#outbox.resume();
      },
    });
    const mark = (): Frame => this.pulse.mark();
    this.#outbox = new Outbox(socket, { rate: this.rate, pace: this.pace, timers, clock, pieces, mark });
  }

  /** Bytes not handed to the socket yet. */
  get queuedBytes(): number {
    return this.#outbox.queuedBytes;
  }

  /** Bytes handed to the socket, headers included. */
  get sentBytes(): number {
    return this.#outbox.sentBytes;
  }

  /** The socket takes no more. */
  get isBlocked(): boolean {
    return this.#outbox.blocked;
  }

  /** From now on no more bytes per second are sent than `limit` says, which is asked each time. */
  limit(limit: () => number | undefined): void {
    this.#limit = limit;
  }

  /** Client: one ping after the other, until there were enough. */
  measureDistance(): void {
    if (this.#options.role === "client") this.pulse.measureDistance();
  }

  /** Queues a frame, as `Outbox.push`; does nothing once the connection has ended. */
  push(priority: Priority, frame: Frame, written?: () => void): void {
    const { end, sending, peer } = this.#options;
    if (end.reason !== undefined) return;
    sending(frame);
    this.#outbox.push(priority, frame, written);
    if (this.#outbox.queuedBytes > maxQueuedBytes) {
      end.lose(`${peer} does not read: more than ${maxQueuedBytes} bytes wait for it`);
    }
  }

  /** Hands a frame to the socket before all that waits, whatever its buffer holds. */
  pushLast(frame: Frame): void {
    this.#outbox.push("control", frame);
    this.#outbox.flushControl();
  }

  /** Not with the pings of this end: a peer that sends some is answered, and needs none. */
  dropUnlessTaking(): void {
    const { role, clock, peer, end } = this.#options;
    const { blocked, blockedSinceMs, stalledMs } = this.#outbox;
    const idleMs = blocked ? clock.monotonicMs() - blockedSinceMs : stalledMs;
    if (role === "server" && idleMs >= maxBlockedMs)
      end.lose(`${peer} does not read: it took nothing for ${Math.round(idleMs / 1000)} s`);
  }

  /** Sends no more, and forgets what waits. */
  stop(): void {
    this.#outbox.discard();
  }
}
