import type { Action } from "@homcc/cas/action";
import type { LoadedSettings } from "@homcc/config/load";
import { describeError, HomccError } from "@homcc/observability/error";
import type { OutcomeName } from "@homcc/observability/outcomes";
import type { HostId } from "@homcc/scheduler/host";
import { Phases } from "./phases.ts";
import { RefusedByServer } from "./refusal.ts";
import type { JobDescription, RemoteResult } from "./server-session.ts";
import type { Services } from "./services.ts";

export type PlacedRun =
  | { readonly kind: "ran"; readonly result: RemoteResult }
  | { readonly kind: "failed"; readonly outcome: OutcomeName; readonly detail: string };

/**
 * Gives the action to one server after the other until one ran it: at most `remote_compilation_tries`, never the same
 * one twice. A time-out ends the search, because the next server would take as long again.
 */
export async function runOnServers(
  action: Action,
  job: JobDescription,
  loaded: LoadedSettings,
  services: Pick<Services, "servers" | "holders">,
  callSignal: AbortSignal,
  phases = new Phases(),
): Promise<PlacedRun> {
  const { compilationRequestTimeoutMs, remoteCompilationTries, establishConnectionTimeoutMs } =
    loaded.settings;
  const deadline = AbortSignal.timeout(compilationRequestTimeoutMs);
  const signal = AbortSignal.any([callSignal, deadline]);
  const pool = services.servers.poolFor(loaded.hosts);
  const tried = new Set<HostId>();
  let failure: Extract<PlacedRun, { kind: "failed" }> = { kind: "failed", outcome: "no-server", detail: "" };
  try {
    for (;;) {
      const placing = pool.place({ tried, maxTries: remoteCompilationTries, signal });
      const placement = await phases.time("place", placing);
      if (placement === undefined) return withReasons(failure, loaded, services);
      tried.add(placement.hostId);
      using _slot = placement;
      using _holding = services.holders.hold(placement.hostId, job.label);
      try {
        const connecting = services.servers.connect(placement.host, establishConnectionTimeoutMs);
        const session = await phases.time("connect", connecting);
        return { kind: "ran", result: await phases.time("run", session.run(action, job, signal)) };
      } catch (error) {
        if (signal.aborted) throw error;
        failure = describeFailure(error, placement.hostId);
        if (failure.outcome === "output-failed" || failure.outcome === "input-changed") return failure;
      }
    }
  } catch (error) {
    if (deadline.aborted && !callSignal.aborted) {
      return {
        kind: "failed",
        outcome: "timed-out",
        detail: `after ${compilationRequestTimeoutMs / 1000} s`,
      };
    }
    throw error;
  }
}

/** A job that was never placed: name each host and why it was not used. */
function withReasons(
  failure: Extract<PlacedRun, { kind: "failed" }>,
  loaded: LoadedSettings,
  services: Pick<Services, "servers">,
): PlacedRun {
  if (failure.outcome !== "no-server") return failure;
  return { ...failure, detail: loaded.hosts.map((host) => services.servers.describe(host)).join("; ") };
}

function describeFailure(error: unknown, hostId: HostId): Extract<PlacedRun, { kind: "failed" }> {
  if (error instanceof RefusedByServer) {
    return { kind: "failed", outcome: error.outcome, detail: `${hostId}: ${describeError(error)}` };
  }
  const detail = `${hostId}: ${describeError(error)}`;
  if (!(error instanceof HomccError)) throw error;
  switch (error.code) {
    case "ERR_HOMCC_UNAVAILABLE":
    case "ERR_HOMCC_CONNECT_TIMEOUT":
      return { kind: "failed", outcome: "no-server", detail };
    case "ERR_HOMCC_OUTPUT":
      return { kind: "failed", outcome: "output-failed", detail: describeError(error) };
    case "ERR_HOMCC_INPUT_CHANGED":
      return { kind: "failed", outcome: "input-changed", detail: describeError(error) };
    case "ERR_HOMCC_STORE_FULL":
      return { kind: "failed", outcome: "server-full", detail };
    case "ERR_HOMCC_REFUSED":
      return { kind: "failed", outcome: "refused", detail };
    default:
      return { kind: "failed", outcome: "connection-lost", detail };
  }
}
