import { describeError } from "@homcc/observability/error";
import type { HostId } from "@homcc/scheduler/host";
import type { HostState } from "@homcc/scheduler/health";
import type { SlotHolder } from "../records/slot-holders.ts";

/** One server as `homcc status` shows it. */
export interface ServerStatus {
  /** `name:port`. */
  readonly host: HostId;
  /** `unused`: no job has needed it yet, or not since its connection ended. */
  readonly state: "connected" | "connecting" | "unreachable" | "unused";
  /** Why it is not used. */
  readonly reason?: string;
  /** When it is tried again without any job: ISO time. */
  readonly nextTryAt?: string;
  /** Program and version. */
  readonly version?: string;
  /** Best first. */
  readonly executors?: readonly string[];
  readonly roundTripMs?: number;
  /** Jobs it runs at once, for all its clients. */
  readonly serverSlots?: number;
  /** Jobs of this agent there, and the LIMIT of the hosts file. */
  readonly slots: { readonly held: number; readonly limit: number };
  readonly jobs: readonly SlotHolder[];
}

/** What a connection tells about its server. */
export interface ServerDescription {
  readonly version: string;
  readonly executors: readonly string[];
  /** Unknown of a homcc 1.x server. */
  readonly serverSlots: number | undefined;
  readonly roundTripMs: number | undefined;
}

/** The part of a status that the state of the connection decides. `wallOf` turns monotonic milliseconds into wall ones. */
export function connectionStatus(
  state: HostState<{ readonly description: ServerDescription }> | undefined,
  wallOf: (monotonicMs: number) => number,
): Omit<ServerStatus, "host" | "slots" | "jobs"> {
  switch (state?.kind) {
    case undefined:
    case "untried":
    case "closed":
      return { state: "unused" };
    case "connecting":
      return { state: "connecting" };
    case "overdue": {
      const since = new Date(wallOf(state.sinceMs)).toISOString();
      return { state: "connecting", reason: `no answer since ${since}; jobs do not wait for it` };
    }
    case "resting":
      return { state: "unreachable", reason: describeError(state.reason) };
    case "dead":
      return {
        state: "unreachable",
        reason: describeError(state.reason),
        nextTryAt: new Date(wallOf(state.retryAtMs)).toISOString(),
      };
    case "healthy": {
      const { version, executors, serverSlots, roundTripMs } = state.connection.description;
      const rounded = roundTripMs === undefined ? {} : { roundTripMs: Math.round(roundTripMs * 10) / 10 };
      const slots = serverSlots === undefined ? {} : { serverSlots };
      return { state: "connected", version, executors, ...slots, ...rounded };
    }
  }
}
