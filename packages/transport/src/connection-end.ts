import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { HomccError } from "@homcc/observability/error";
import { type Frame, frameTypes } from "@homcc/protocol/frame";
import { maxTextLength } from "@homcc/protocol/limits";
import { printable } from "@homcc/protocol/printable";
import type { Role } from "./channel-options.ts";
import type { Timers } from "./timers.ts";

export interface ConnectionEndOptions {
  readonly role: Role;
  /** Host and port, for messages. */
  readonly peer: string;
  readonly socket: Duplex;
  /** `undefined` where another process carries the connection. */
  readonly carrier: Socket | undefined;
  readonly timers: Timers;
  /** The client of this connection says goodbye unless it is killed. */
  readonly farewell: boolean;
  /** Hands a frame to the socket before all that waits, whatever its buffer holds. */
  readonly sendLast: (frame: Frame) => void;
  /** Called first: nothing is sent or asked any more. */
  readonly stop: () => void;
  /** Called last, before the socket is closed: `closed` and `signal` have the reason. */
  readonly ended: (reason: HomccError) => void;
}

/** How long a peer may take to fetch the last words of a connection. */
const lingerMs = 1_000;

/** The ways in which a connection ends: one reason, which is the first. */
export class ConnectionEnd {
  /** Resolves with the reason; never rejects. */
  readonly closed: Promise<HomccError>;
  /** Aborted with it. */
  readonly signal: AbortSignal;
  readonly #options: ConnectionEndOptions;
  readonly #abort = new AbortController();
  readonly #resolveClosed: (reason: HomccError) => void;
  #reason: HomccError | undefined;
  #isLost = false;

  constructor(options: ConnectionEndOptions) {
    const closed = Promise.withResolvers<HomccError>();
    this.closed = closed.promise;
    this.#resolveClosed = closed.resolve;
    this.signal = this.#abort.signal;
    this.#options = options;
  }

  /** `undefined` while the connection is open. */
  get reason(): HomccError | undefined {
    return this.#reason;
  }

  /**
   * The connection ended without a word: the line dropped, or the peer died. False while it is open, and for a client that is
   * known to have died.
   */
  get isLost(): boolean {
    return this.#isLost;
  }

  /** From now on the socket's end is that of the connection, also one that was before. */
  watch(): void {
    const { socket, peer } = this.#options;
    socket.on("error", (error) => this.lose(`the connection to ${peer} broke`, error));
    socket.on("end", () => this.#peerEnded());
    socket.on("close", () => this.lose(`the connection to ${peer} ended`));
    if (socket.destroyed) this.lose(`the connection to ${peer} ended`);
  }

  /** The peer is gone: ends without a word. */
  lose(message: string, cause?: unknown): void {
    if (this.#reason !== undefined) return;
    this.#isLost = true;
    // Should the line be back, a plain end would say that this process is gone.
    if (this.#options.farewell && this.#options.role === "client") this.#options.carrier?.resetAndDestroy();
    this.#leave(lost(message, cause));
  }

  /** The same, because nothing was heard for so long. */
  loseSilent(silentMs: number): void {
    this.lose(`${this.#options.peer} was silent for ${Math.round(silentMs)} ms`);
  }

  /** The peer says goodbye with these words. */
  peerLeaves(goodbye: Uint8Array): void {
    this.#leave(lost(`${this.#options.peer} closed the connection: ${readGoodbye(goodbye)}`));
  }

  /** A mistake of the peer or one of ours; the peer is told the message. Gives the reason that the connection ended with. */
  fail(error: unknown): HomccError {
    const reason =
      error instanceof HomccError
        ? error
        : lost(`an internal error on the connection to ${this.#options.peer}`, error);
    this.#sayGoodbye(reason, reason.message);
    return this.#reason ?? reason;
  }

  /** Says goodbye. Resolves when the socket is closed. */
  async close(goodbye: string): Promise<void> {
    const { peer, socket } = this.#options;
    this.#sayGoodbye(lost(`the connection to ${peer} was closed: ${goodbye}`), goodbye);
    if (!socket.closed) await closing(socket);
  }

  /** Ends as a line that drops does: a peer expects this end back. Resolves when the socket is closed. */
  async drop(why: string): Promise<void> {
    const { peer, socket } = this.#options;
    this.#finish(lost(`the connection to ${peer} was closed: ${why}`));
    if (socket.closed) return;
    const closed = closing(socket);
    socket.destroy();
    await closed;
  }

  /** The peer has closed its side. */
  #peerEnded(): void {
    const { farewell, role, peer } = this.#options;
    if (farewell && role === "server") this.#leave(lost(`${peer} was killed`));
    else this.lose(`${peer} closed the connection`);
  }

  /** The peer has a moment to read it. */
  #sayGoodbye(reason: HomccError, goodbye: string): void {
    if (this.#reason !== undefined) return;
    const { socket, timers, sendLast } = this.#options;
    const payload = Buffer.from(goodbye.slice(0, maxTextLength));
    sendLast({ type: frameTypes.goodbye, flags: 0, stream: 0, payload });
    this.#finish(reason);
    socket.end();
    // Unread bytes would turn our end into a reset, which can overtake the goodbye.
    socket.resume();
    const cancel = timers.after(lingerMs, () => socket.destroy());
    socket.once("close", cancel);
  }

  /** Ends without a word: the peer has said its own, or none reaches it. */
  #leave(reason: HomccError): void {
    if (this.#reason !== undefined) return;
    this.#finish(reason);
    this.#options.socket.destroy();
  }

  #finish(reason: HomccError): void {
    this.#reason = reason;
    this.#options.stop();
    this.#resolveClosed(reason);
    this.#abort.abort(reason);
    this.#options.ended(reason);
  }
}

function closing(socket: Duplex): Promise<void> {
  return new Promise((resolve) => {
    socket.once("close", () => resolve());
  });
}

function lost(message: string, cause?: unknown): HomccError {
  return new HomccError("ERR_HOMCC_CONNECTION_LOST", message, cause === undefined ? {} : { cause });
}

function readGoodbye(payload: Uint8Array): string {
  return (
    printable(Buffer.from(payload.subarray(0, maxTextLength)).toString("utf8"), maxTextLength) ||
    "without a reason"
  );
}
