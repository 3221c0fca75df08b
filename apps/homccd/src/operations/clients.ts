import type { Socket } from "node:net";
import type { Drain } from "@homcc/protocol/drain";
import type { ClientSession } from "../client-session.ts";

/** The connection of a homcc 1.x client, a socket. */
type V1Wire = Pick<Socket, "bytesRead" | "bytesWritten">;

/** Everybody whom this homccd serves at present. */
export class Clients {
  readonly #sessions = new Map<ClientSession, Promise<void>>();
  /** Each is one job on one connection. */
  readonly #v1 = new Map<V1Wire, Promise<void>>();
  /** Wire bytes of those that are gone. */
  readonly #gone = { received: 0, sent: 0 };
  #drain: Drain | undefined;

  /** Serves a client until it and its jobs are gone. */
  async serve(session: ClientSession): Promise<void> {
    const running = session.run();
    this.#sessions.set(session, running);
    // It said hello before the drain and got here after it.
    if (this.#drain !== undefined) void session.drain(this.#drain);
    try {
      await running;
    } finally {
      const { received, sent } = session.bytes;
      this.#gone.received += received;
      this.#gone.sent += sent;
      this.#sessions.delete(session);
    }
  }

  async serveV1(wire: V1Wire, running: Promise<void>): Promise<void> {
    this.#v1.set(wire, running);
    try {
      await running;
    } finally {
      this.#gone.received += wire.bytesRead;
      this.#gone.sent += wire.bytesWritten;
      this.#v1.delete(wire);
    }
  }

  get connections(): number {
    return this.#sessions.size + this.#v1.size;
  }

  /** On the wire so far. */
  get bytes(): { readonly receivedBytes: number; readonly sentBytes: number } {
    let { received: receivedBytes, sent: sentBytes } = this.#gone;
    for (const { bytes } of this.#sessions.keys()) {
      receivedBytes += bytes.received;
      sentBytes += bytes.sent;
    }
    for (const { bytesRead, bytesWritten } of this.#v1.keys()) {
      receivedBytes += bytesRead;
      sentBytes += bytesWritten;
    }
    return { receivedBytes, sentBytes };
  }

  /** Jobs that run or wait. */
  get jobs(): number {
    return [...this.#sessions.keys()].reduce((sum, { jobs }) => sum + jobs, this.#v1.size);
  }

  /** Ends the connections of clients that are not to be served any more: `whyNoLonger` gives the reason. */
  turnOut(whyNoLonger: (session: ClientSession) => string | undefined): void {
    for (const session of this.#sessions.keys()) {
      const why = whyNoLonger(session);
      if (why !== undefined) void session.turnOut(why);
    }
  }

  /** Tells all of them; resolves when they are gone. */
  async drain(drain: Drain): Promise<void> {
    this.#drain = drain;
    for (const session of this.#sessions.keys()) void session.drain(drain);
    while (this.connections > 0) await Promise.allSettled([...this.#sessions.values(), ...this.#v1.values()]);
  }

  /** Ends all connections of version 2 and resolves when they are closed; their jobs end with them. */
  async end(): Promise<void> {
    await Promise.all([...this.#sessions.keys()].map((session) => session.end()));
  }
}
