import type { HostId } from "./host.ts";

/** What is known of one job on one server. Bytes are those on the wire; `undefined` is what nobody has measured yet. */
export interface ServerView {
  readonly hostId: HostId;
  /** A LAN, or this machine: the way there takes no time, whatever was measured. */
  readonly isNear: boolean;
  readonly uploadBytesPerSecond: number | undefined;
  readonly downloadBytesPerSecond: number | undefined;
  readonly roundTripMs: number | undefined;
  /** Files of the job that the server is believed to lack. */
  readonly missingBytes: number;
  /** On their way before them. */
  readonly aheadBytes: number;
  /** Jobs of this agent that are there. */
  readonly jobs: number;
  /** Before the job gets a slot of the server: how many others have to get one. */
  readonly jobsAhead: number;
  /** Of the server, or what it lets this agent have. */
  readonly slots: number;
  readonly compileMs: number | undefined;
  readonly resultBytes: number | undefined;
  /** Of an average job there. */
  readonly meanCompileMs: number | undefined;
}

/** This machine as a place for the job. */
export interface HomeView {
  readonly slots: number;
  /** Jobs that hold a slot, wait for one, or were told to come home. */
  readonly jobs: number;
  readonly compileMs: number | undefined;
  readonly meanCompileMs: number | undefined;
}

/** How far local cores take part. */
export type HomeShare =
  /** `no_local_compilation`. */
  | "never"
  /** No `localhost` line: only where servers are far behind, and because of a link that was measured. */
  | "if-much-sooner"
  /** `localhost/N`. */
  | "if-sooner";

export type Advice =
  | { readonly kind: "remote" }
  | {
      readonly kind: "local";
      /** `share`: only because of a `localhost` line. */
      readonly why: "much-sooner" | "share";
      readonly homeMs: number;
      /** Of the best server. */
      readonly remoteMs: number;
      readonly hostId: HostId;
    };

/**
 * More than both: then a place is so much later that another one is worth what a prediction may be wrong by. Below that a job goes
 * where it was asked to go.
 */
const muchLaterShare = 2;
const muchLaterMs = 2_000;

export function isMuchLater(ms: number, thanMs: number): boolean {
  return ms > thanMs * muchLaterShare && ms >= thanMs + muchLaterMs;
}

/**
 * When the job's result is here at the soonest, in ms from now: a direction that nobody has measured takes no time for results.
 * `undefined` for a file that nobody has compiled, and for an upload through a link that nobody has measured.
 */
export function remoteFinishMs(view: ServerView): number | undefined {
  const { uploadBytesPerSecond, downloadBytesPerSecond, missingBytes, compileMs } = view;
  if (compileMs === undefined) return undefined;
  if (view.isNear) return queueMsOf(view, compileMs) + compileMs;
  if (missingBytes > 0 && uploadBytesPerSecond === undefined) return undefined;
  const roundTripMs = view.roundTripMs ?? 0;
  const uploadMs = missingBytes > 0 ? transferMs(view.aheadBytes + missingBytes, uploadBytesPerSecond) : 0;
  const arrivedMs = roundTripMs * (missingBytes > 0 ? 2 : 1) + uploadMs;
  const compiledMs = arrivedMs + queueMsOf(view, compileMs) + compileMs;
  // Results of the jobs before this one come first, as far as they have not come while it compiles.
  const resultMs = transferMs(view.resultBytes ?? 0, downloadBytesPerSecond);
  const othersMs = Math.max(0, view.jobs * resultMs - compiledMs);
  return compiledMs + othersMs + resultMs;
}

/** When the job would be done here. */
export function homeFinishMs(home: HomeView): number | undefined {
  if (home.compileMs === undefined) return undefined;
  const ahead = Math.max(0, home.jobs + 1 - home.slots);
  return (ahead * (home.meanCompileMs ?? home.compileMs)) / Math.max(1, home.slots) + home.compileMs;
}

/**
 * Whether the job is done sooner here than on the best of `servers`, as far as `share` wants it here at all. As long as there is a
 * server of which not enough is known, that one gets it.
 */
export function advise(servers: readonly ServerView[], home: HomeView, share: HomeShare): Advice {
  const homeMs = homeFinishMs(home);
  if (share === "never" || homeMs === undefined) return { kind: "remote" };
  let best: { hostId: HostId; ms: number } | undefined;
  for (const view of servers) {
    const ms = remoteFinishMs(view);
    if (ms === undefined || !isKnown(view, share)) return { kind: "remote" };
    if (best === undefined || ms < best.ms) best = { hostId: view.hostId, ms };
  }
  if (best === undefined) return { kind: "remote" };
  const isMuchSooner = isMuchLater(best.ms, homeMs);
  const stays = share === "if-sooner" ? best.ms > homeMs : isMuchSooner;
  if (!stays) return { kind: "remote" };
  return {
    kind: "local",
    why: isMuchSooner ? "much-sooner" : "share",
    homeMs,
    remoteMs: best.ms,
    hostId: best.hostId,
  };
}

/** Whether the link may be a reason. A near one never is; who shares the work shares it with a full server there, too. */
function isKnown(view: ServerView, share: HomeShare): boolean {
  if (view.isNear) return share === "if-sooner";
  return view.uploadBytesPerSecond !== undefined || view.downloadBytesPerSecond !== undefined;
}

function queueMsOf({ jobsAhead, meanCompileMs, slots }: ServerView, compileMs: number): number {
  return (jobsAhead * (meanCompileMs ?? compileMs)) / Math.max(1, slots);
}

function transferMs(bytes: number, bytesPerSecond: number | undefined): number {
  return bytesPerSecond === undefined ? 0 : (bytes / bytesPerSecond) * 1000;
}
