import type { Action } from "@homcc/cas/action";
import type { LoadedSettings } from "@homcc/config/load";
import type { Compression } from "@homcc/config/values";
import { describeError, HomccError } from "@homcc/observability/error";
import type { OutcomeName } from "@homcc/observability/outcomes";
import { type HostAddress, type HostId, hostIdOf } from "@homcc/scheduler/host";
import type { Placement, PlacementRequest } from "@homcc/scheduler/placement";
import type { Advice } from "@homcc/scheduler/prediction";
import { unmonitored } from "../records/monitor-line.ts";
import { Phases } from "../records/phases.ts";
import type { LedgerJob } from "./adviser.ts";
import { BusyServers } from "./busy-servers.ts";
import { ProgressDeadline, systemTime } from "./progress-deadline.ts";
import { SecondThoughts } from "./second-thoughts.ts";
import { atHomePlace } from "../records/slot-holders.ts";
import { RefusedByServer } from "./refusal.ts";
import { DroppedJob, type JobDescription, type RemoteResult, UnheardJob } from "./session.ts";
import type { Servers } from "./servers.ts";
import { notThere } from "./toolchains/not-there.ts";
import type { Services } from "../services.ts";

/** A server that lost a job's connection has begun it: so long it is preferred to others that have room. */
const sameServerMs = 3_000;

/** Lines that one job may lose. A server that dies of it each time is not given it for ever. */
const maxDrops = 5;

/** Servers that turn one job away because they end; more are a server that says so and goes on. */
const maxTurnedAway = 20;

/** Where a job comes from. */
export interface JobOrigin {
  /** What the ledger calls it. */
  readonly key: string;
  /** The session of its launcher: those of other terminals are not behind its build. */
  readonly party: number;
}

/** The job has no result of a server: which outcome that is, and what each server did. */
export interface FailedRun {
  readonly kind: "failed";
  readonly outcome: OutcomeName;
  readonly detail: string;
  /** It takes a local slot that is free. Disposed when it waits for that. */
  readonly promise?: Disposable;
}

export type PlacedRun =
  | { readonly kind: "ran"; readonly result: RemoteResult }
  | FailedRun
  /** No server has it any more: it is done sooner here. `promise` is disposed when it waits for its local slot. */
  | {
      readonly kind: "home";
      readonly advice: Extract<Advice, { kind: "local" }>;
      readonly promise: Disposable;
    };

/**
 * Dials the job's servers, and says when none of them can be reached: then nothing has to be prepared for them. A job
 * that may not be compiled at home waits for every dial to its end.
 */
export function noServerFor(
  loaded: LoadedSettings,
  { servers, pools }: Pick<Services, "servers" | "pools">,
): FailedRun | undefined {
  const request = placementRequest(loaded, new Set());
  return servers.poolFor(loaded).hasPlaceFor(request) ? undefined : unreachable(loaded, servers, pools);
}

/**
 * Gives the action to one server after the other until one ran it: at most `remote_compilation_tries`, never the same
 * one twice, unless the job got lost on its way there, the line dropped, or it may not be compiled at home and they are busy. The time limit runs while a server has the job, not while it
 * waits for a slot. A time-out ends the search, because the next server would take as long again. Before it has a server, and
 * until one compiles it, the job comes home when the ledger says that it is done sooner here; after its line dropped only when all
 * its servers are missed and a local slot is free.
 */
export async function runOnServers(
  action: Action,
  job: JobDescription,
  loaded: LoadedSettings,
  services: Pick<Services, "servers" | "holders" | "adviser" | "homeLoad" | "pools">,
  callSignal: AbortSignal,
  { key, party }: JobOrigin = { key: "", party: 0 },
  phases = new Phases(),
  line = unmonitored.follow(""),
  time = systemTime,
): Promise<PlacedRun> {
  const { servers, adviser } = services;
  const { compilationRequestTimeoutMs } = loaded.settings;
  const tried = new Set<HostId>();
  const dialledAnew = new Set<HostId>();
  let failure: FailedRun | undefined;
  const comeHome = (advice: Extract<Advice, { kind: "local" }>): PlacedRun => {
    const promise = services.homeLoad.promise();
    if (advice.why !== "missed") return { kind: "home", advice, promise };
    // What dials have met since then says more than that a connection ended.
    return { ...(failure ?? unreachable(loaded, servers, services.pools)), promise };
  };
  const busy = new BusyServers(time);
  let dropped: HostId | undefined;
  let drops = 0;
  let turnedAway = 0;
  for (;;) {
    const pool = servers.poolFor(loaded);
    const ledgerJob: LedgerJob = { action, key, loaded, pool };
    const unfit = unfitFor(action, loaded, servers);
    const passed = new Set([...tried, ...unfit]);
    const adviseUnplaced = (): Advice => {
      const missed = adviser.adviseMissed(ledgerJob, passed);
      if (missed.kind === "local" || dropped !== undefined) return missed;
      return adviser.advise(ledgerJob, passed);
    };
    const advice = adviseUnplaced();
    if (advice.kind === "local") return comeHome(advice);
    line.enter("blocked", atHomePlace);
    if (dropped !== undefined) await servers.whenBack(dropped, sameServerMs, callSignal);
    let hostId: HostId | undefined;
    let isSilent = true;
    const ask = (): Advice => {
      if (hostId === undefined) return adviseUnplaced();
      return dropped === undefined ? adviser.reconsider(ledgerJob, hostId, isSilent) : { kind: "remote" };
    };
    using thoughts = new SecondThoughts(ask, callSignal, time, services.homeLoad);
    let placement: Placement<HostAddress> | undefined;
    try {
      const placing = pool.place({
        ...placementRequest(loaded, tried),
        unfit,
        preferred: dropped,
        party,
        finishMs: (host) => adviser.finishMs(ledgerJob, host),
        signal: thoughts.signal,
      });
      placement = await phases.time("place", placing);
    } catch (error) {
      if (thoughts.soonerAtHome === undefined) throw error;
      return comeHome(thoughts.soonerAtHome.advice);
    }
    if (placement === undefined) {
      if (loaded.settings.noLocalCompilation && (await busy.letTryAgain(tried, callSignal))) continue;
      return failure ?? lacking(action, loaded, servers) ?? unreachable(loaded, servers, services.pools);
    }
    using _slot = placement;
    hostId = placement.hostId;
    const session = servers.sessionOn(hostId);
    if (session === undefined) {
      // One that ends each connection at once does not keep the job here.
      if (dialledAnew.has(hostId)) tried.add(hostId);
      dialledAnew.add(hostId);
      continue;
    }
    tried.add(hostId);
    adviser.used(hostId);
    using deadline = new ProgressDeadline(compilationRequestTimeoutMs, thoughts.signal, time);
    const host = hostId;
    const placed: JobDescription = {
      ...job,
      compression: compressionFor(hostId, loaded),
      isPatient: loaded.settings.noLocalCompilation,
      onProgress: (receivedBytes) => deadline.moved(receivedBytes),
      onUpload: (upload) => {
        isSilent = false;
        return job.onUpload?.(upload) ?? { [Symbol.dispose]: () => {} };
      },
      onPhase: (phase) => {
        line.enter(phase, host);
        if (phase !== "send") isSilent = false;
        if (phase === "compile" || phase === "receive") thoughts.settle();
      },
    };
    using _holding = services.holders.hold(hostId, job.label);
    try {
      const result = await phases.time("run", session.run(action, placed, deadline.signal));
      adviser.learn(ledgerJob, hostId, result);
      return { kind: "ran", result };
    } catch (error) {
      if (thoughts.soonerAtHome !== undefined && !callSignal.aborted) {
        return comeHome(thoughts.soonerAtHome.advice);
      }
      if (deadline.isOver) return timedOut(hostId, compilationRequestTimeoutMs);
      if (callSignal.aborted) throw error;
      failure = describeFailure(error, hostId);
      if (failure.outcome === "output-failed" || failure.outcome === "input-changed") return failure;
      if (error instanceof RefusedByServer && error.isLeaving && turnedAway < maxTurnedAway) {
        turnedAway += 1;
        servers.leaving(hostId, session);
        tried.delete(hostId);
        dropped = undefined;
        continue;
      }
      if (error instanceof RefusedByServer && error.refused.reason === "limited") busy.note(hostId);
      if (error instanceof DroppedJob && drops < maxDrops) {
        drops += 1;
        dropped = hostId;
        tried.delete(hostId);
        continue;
      }
      if (error instanceof UnheardJob && !dialledAnew.has(hostId)) tried.delete(hostId);
      dialledAnew.add(hostId);
    }
  }
}

function timedOut(hostId: HostId, timeoutMs: number): FailedRun {
  return {
    kind: "failed",
    outcome: "timed-out",
    detail: `${hostId}: no result, and nothing of the job moved for ${timeoutMs / 1000} s`,
  };
}

/** For a server of homcc 1.x: what its line says, else what the configuration does. */
function compressionFor(hostId: HostId, { hosts }: LoadedSettings): Compression {
  return hosts.find((host) => hostIdOf(host) === hostId)?.compression ?? "no_compression";
}

function placementRequest(
  { settings }: LoadedSettings,
  tried: ReadonlySet<HostId>,
): Pick<PlacementRequest, "tried" | "maxTries" | "patient"> {
  return { tried, maxTries: settings.remoteCompilationTries, patient: settings.noLocalCompilation };
}

/** Servers that lack its toolchain; none when there is no other, and no other place. */
function unfitFor(
  { toolchain, sandbox }: Pick<Action, "toolchain" | "sandbox">,
  { hosts, settings }: LoadedSettings,
  servers: Pick<Servers, "lacking">,
): ReadonlySet<HostId> {
  const unfit = sandbox === undefined ? servers.lacking(toolchain) : new Set<HostId>();
  const isAll = hosts.every((host) => host.limit === 0 || unfit.has(hostIdOf(host)));
  return isAll && settings.noLocalCompilation ? new Set() : unfit;
}

/** A server there is, but not for this toolchain. */
function lacking(
  { toolchain }: Pick<Action, "toolchain">,
  { hosts }: LoadedSettings,
  { shipments }: Pick<Servers, "shipments">,
): FailedRun | undefined {
  for (const hostId of hosts.map(hostIdOf)) {
    const standing = shipments?.standing(hostId, toolchain);
    if (standing !== undefined && standing.kind !== "ready")
      return describeFailure(notThere(standing), hostId);
  }
  return undefined;
}

/**
 * A job that was never placed: name each host and why it was not used. One that answers and is not trusted, or turns this user
 * away, is no network's fault.
 */
function unreachable(
  loaded: LoadedSettings,
  servers: Servers,
  pools: Pick<Services["pools"], "describe">,
): FailedRun {
  const untrusted = loaded.hosts.find((host) => servers.isUntrusted(host));
  if (untrusted !== undefined)
    return { kind: "failed", outcome: "not-trusted", detail: servers.describe(untrusted) };
  const empty = loaded.pools.filter(({ name }) => !loaded.hosts.some(({ pool }) => pool?.name === name));
  const detail = [
    ...loaded.hosts.map((host) => servers.describe(host)),
    ...empty.map((line) => pools.describe(line)),
  ].join("; ");
  return { kind: "failed", outcome: "no-server", detail };
}

function describeFailure(error: unknown, hostId: HostId): FailedRun {
  if (error instanceof RefusedByServer) {
    return { kind: "failed", outcome: error.outcome, detail: `${hostId}: ${describeError(error)}` };
  }
  const detail = `${hostId}: ${describeError(error)}`;
  if (!(error instanceof HomccError)) throw error;
  switch (error.code) {
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
