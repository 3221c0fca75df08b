import type { Duplex } from "node:stream";
import type { Clock } from "@homcc/observability/clock";
import { type Frame, FrameDecoder, frameTypes } from "@homcc/protocol/frame";
import { maxFrameBytes } from "@homcc/protocol/limits";
import type { MessageBudget } from "./message-budget.ts";
import type { Timers } from "./timers.ts";

export interface InboxOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  /** Of the peer's messages, where it has to share this process with others. */
  readonly budget: MessageBudget | undefined;
  /** False once the connection has ended: nothing more is taken. */
  readonly isOpen: () => boolean;
  /** Something came, whatever it is. */
  readonly heard: () => void;
  readonly receive: (frame: Frame) => void;
  /** `receive` threw, or what came is no frame. */
  readonly failed: (error: unknown) => void;
  /** Reading goes on after it had stopped. */
  readonly resumed: () => void;
}

/** Received bytes that wait for slow handlers before the socket is not read any more, and where reading goes on. */
const pauseAboveBytes = 4 << 20;
const resumeBelowBytes = 1 << 20;

/**
 * How long one chunk of what was received may hold the event loop; the rest waits for the next turn. Answers to 200 jobs come
 * in one chunk where the process had to wait for its turn, and ask for 2,000 files.
 */
const maxTurnMs = 10;

/**
 * Frames that come from the socket, one at a time and in order, and when the socket is not read: while handlers are slow, while the peer
 * has used up its share of our time, and while somebody limits what is received.
 */
export class Inbox {
  readonly #socket: Duplex;
  readonly #options: InboxOptions;
  readonly #decoder = new FrameDecoder(maxFrameBytes);
  #receivedBytes = 0;
  #waitingBytes = 0;
  #isStarted = false;
  #isReading = false;
  /** Received and complete, but the peer has used up its share of our time. Nothing is read meanwhile. */
  #heldFrames: Frame[] = [];
  #isHolding = false;
  #pauseMs: (bytes: number) => number = () => 0;
  #isHeldBack = false;

  constructor(socket: Duplex, options: InboxOptions) {
    this.#socket = socket;
    this.#options = options;
    socket.on("data", (chunk: Uint8Array) => this.#read(chunk));
    socket.pause();
  }

  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  /** False while the socket is not read, so that silence means nothing. */
  get isReading(): boolean {
    return this.#isReading;
  }

  /** Begins to read, with `initialBytes` before what comes from the socket. Call it once. */
  start(initialBytes: Uint8Array | undefined): void {
    this.#isStarted = true;
    this.#isReading = true;
    // A turn later, so that the caller has what this connection is part of before the first call to it.
    setImmediate(() => {
      if (initialBytes !== undefined && initialBytes.byteLength > 0) this.#read(initialBytes);
      if (this.#isReading) this.#socket.resume();
    });
  }

  /** Of what was received so much is not delivered yet. */
  waits(bytes: number): void {
    this.#waitingBytes += bytes;
  }

  /** So much of it is. */
  delivered(bytes: number): void {
    this.#waitingBytes -= bytes;
    this.#resume();
  }

  /** `pauseMs` is told of all bytes that come, and says for how long nothing more is read. */
  limit(pauseMs: (bytes: number) => number): void {
    this.#pauseMs = pauseMs;
  }

  #read(chunk: Uint8Array): void {
    if (!this.#options.isOpen()) return;
    this.#receivedBytes += chunk.byteLength;
    this.#options.heard();
    try {
      this.#receiveAll(this.#decoder.push(chunk));
    } catch (error) {
      this.#options.failed(error);
    }
    this.#holdBack(chunk.byteLength);
  }

  #receiveAll(frames: Frame[]): void {
    const { clock, timers, isOpen } = this.#options;
    let delayMs = 0;
    let next = 0;
    const untilMs = clock.monotonicMs() + maxTurnMs;
    let isLong = false;
    while (next < frames.length && delayMs === 0 && !isLong) {
      const frame = frames[next++];
      if (frame === undefined || !isOpen()) return;
      delayMs = this.#receiveInTurn(frame);
      isLong = next < frames.length && clock.monotonicMs() > untilMs;
    }
    if (!isOpen()) return;
    const isHolding = delayMs > 0 || isLong;
    if (isHolding) {
      this.#isHolding = true;
      this.#heldFrames = frames.slice(next);
      if (delayMs > 0) timers.after(delayMs, () => this.#receiveHeld());
      else setImmediate(() => this.#receiveHeld());
    }
    if ((isHolding || this.#waitingBytes > pauseAboveBytes) && this.#isReading) this.#pause();
  }

  /** Data costs what it takes on the wire, a message may cost much more: decoding it, and what its handler does at once. */
  #receiveInTurn(frame: Frame): number {
    const { budget, receive } = this.#options;
    if (budget === undefined || frame.type !== frameTypes.message) {
      receive(frame);
      return 0;
    }
    budget.run(() => receive(frame));
    return budget.delayMs();
  }

  #receiveHeld(): void {
    if (!this.#options.isOpen()) return;
    const frames = this.#heldFrames;
    this.#heldFrames = [];
    this.#isHolding = false;
    try {
      this.#receiveAll(frames);
    } catch (error) {
      this.#options.failed(error);
    }
    this.#resume();
  }

  #holdBack(bytes: number): void {
    const pauseMs = this.#pauseMs(bytes);
    if (pauseMs <= 0 || this.#isHeldBack || !this.#options.isOpen()) return;
    this.#isHeldBack = true;
    this.#pause();
    this.#options.timers.after(pauseMs, () => {
      this.#isHeldBack = false;
      this.#resume();
    });
  }

  #pause(): void {
    this.#isReading = false;
    this.#socket.pause();
  }

  #resume(): void {
    if (this.#isReading || !this.#isStarted || this.#isHolding || this.#isHeldBack) return;
    if (this.#waitingBytes >= resumeBelowBytes || !this.#options.isOpen()) return;
    this.#isReading = true;
    this.#options.resumed();
    this.#socket.resume();
  }
}
