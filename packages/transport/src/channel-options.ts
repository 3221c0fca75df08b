import type { Socket } from "node:net";
import type { Clock } from "@homcc/observability/clock";
import type { Agreement } from "@homcc/protocol/hello";
import type { Pace } from "./heartbeat.ts";
import type { Timers } from "./timers.ts";

/** Which end of a connection. */
export type Role = "client" | "server";

export interface ChannelOptions {
  /** Host and port of the peer, for messages and logs. */
  readonly peer: string;
  readonly agreement: Agreement;
  /** Bytes that came with the handshake and belong to the frames. */
  readonly initialBytes?: Uint8Array;
  /** What carries the connection where that is not a TCP socket itself, but TLS over one. */
  readonly carrier?: Socket;
  /** Measured by the handshake. */
  readonly roundTripMs?: number;
  readonly clock?: Clock;
  readonly timers?: Timers;
  readonly busyPace?: Pace;
  /** Of the server's end; the agent's has no timer while no stream is open. */
  readonly idlePace?: Pace;
}

export interface SendOptions {
  /** Nothing of this end follows on the stream; from the server it closes the stream. */
  readonly end?: boolean;
}

export interface SendDataOptions {
  /** `small` for what fits one frame or two: it overtakes `large`. `background` for what nobody waits for. */
  readonly priority: "small" | "large" | "background";
  readonly end: boolean;
}
