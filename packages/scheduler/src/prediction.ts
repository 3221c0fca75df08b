import type { HostId } from "./host.ts";

/** What is known of one job on one server. Bytes are those on the wire; `undefined` is what nobody has measured yet. */
export interface ServerView {
  readonly hostId: HostId;
  /** A LAN, or this machine: the way there takes no time, whatever was measured. */
  readonly isNear: boolean;
  readonly uploadBytesPerSecond: number | undefined;
  readonly downloadBytesPerSecond: number | undefined;
  readonly roundTripMs: number | undefined;
  /** Of a few answers, which a busy machine may have given late. */
  readonly likelyRoundTripMs: number | undefined;
  /** Files of the job that the server is believed to lack. */
  readonly missingBytes: number;
  /** On their way before them. */
  readonly aheadBytes: number;
  /** The server has not said yet what it lacks: it may still be finding out which compiler it has, and ask for anything. */
  readonly isSilent: boolean;
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
  /** Jobs without a result yet, here and on servers, this one included. */
  readonly unfinishedJobs: number;
  readonly compileMs: number | undefined;
  readonly meanCompileMs: number | undefined;
}

/** How far local cores take part. */
export type HomeShare =
  /** `no_local_compilation`. */
  | "never"
  /** No `localhost` line: only where this machine alone would be faster, because of the link. */
  | "if-servers-are-slower"
  /** `localhost/N`. */
  | "if-sooner";

export type Advice =
  | { readonly kind: "remote" }
  | {
      readonly kind: "local";
      /**
       * `servers-are-slower`: than this machine alone would be · `share`: only because of a `localhost` line ·
       * `idle`: nobody knows how long its files will be on their way, and local cores have nothing to do ·
       * `missed`: its servers are gone for longer than a moment, and local cores have nothing to do.
       */
      readonly why: "servers-are-slower" | "share" | "idle" | "missed";
      readonly homeMs: number | undefined;
      /** Of the best server. */
      readonly remoteMs: number | undefined;
      readonly hostId: HostId;
    };

/** More than both: then a server is so much later that a full one is worth waiting for. */
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

/** Servers may be so much slower than this machine alone: a tenth, and what is noise. */
const slowerShare = 1.1;
const slowerMs = 20;

/** When the last of all jobs that have no result yet would be done, had this machine all of them. */
function aloneMs(home: HomeView, compileMs: number): number {
  const othersMs = (home.unfinishedJobs - 1) * (home.meanCompileMs ?? compileMs);
  return Math.max(compileMs, (compileMs + othersMs) / Math.max(1, home.slots));
}

/**
 * Whether the job is done sooner here than on the best of `servers`, as far as `share` wants it here at all. As long as there is a
 * server of which not enough is known, that one gets it.
 */
export function advise(servers: readonly ServerView[], home: HomeView, share: HomeShare): Advice {
  const homeMs = homeFinishMs(home);
  if (share === "never" || homeMs === undefined) return { kind: "remote" };
  let best: { hostId: HostId; ms: number; isNear: boolean } | undefined;
  for (const view of servers) {
    // At the soonest: an uplink that nobody has measured takes no time.
    const ms = remoteFinishMs({ ...view, uploadBytesPerSecond: view.uploadBytesPerSecond ?? Infinity });
    if (ms === undefined || !mayBeReason(view, share)) return { kind: "remote" };
    if (best === undefined || ms < best.ms) best = { hostId: view.hostId, ms, isNear: view.isNear };
  }
  if (best === undefined || best.ms <= homeMs) return { kind: "remote" };
  const limitMs = aloneMs(home, home.compileMs ?? homeMs) * slowerShare + slowerMs;
  const areSlower = !best.isNear && best.ms > limitMs;
  if (!areSlower && share !== "if-sooner") return { kind: "remote" };
  return {
    kind: "local",
    why: areSlower ? "servers-are-slower" : "share",
    homeMs,
    remoteMs: best.ms,
    hostId: best.hostId,
  };
}

/** Below that a round trip may be a busy machine in the same building. */
const farMs = 20;

/** Whether the link may be one. A near one never is, but who shares the work shares it with a full server there, too. */
function mayBeReason(view: ServerView, share: HomeShare): boolean {
  if (view.isNear) return share === "if-sooner";
  // A machine so busy that it answered hardly any ping yet says nothing about its link.
  if (view.roundTripMs === undefined) return false;
  return view.uploadBytesPerSecond !== undefined || view.downloadBytesPerSecond !== undefined || isFar(view);
}

function isFar({ roundTripMs }: Pick<ServerView, "roundTripMs">): boolean {
  return (roundTripMs ?? 0) >= farMs;
}

/** An upload that takes no longer is waited for when nobody knows how long a compile takes. */
const shortUploadMs = 1_000;
/** A compile that takes longer here is worth the wait for a link that is being measured. */
const longCompileMs = 2_000;

/**
 * The same for a job that a server has and does not compile yet. While nobody knows how long that will be, local cores that idle take
 * part: they lose nothing, and what a compile takes here is known afterwards. Therefore few answers are enough to call the server far.
 * A job that is alone waits until its link is measured.
 */
export function reconsider(view: ServerView, home: HomeView, share: HomeShare): Advice {
  const advice = advise([view], home, share);
  if (advice.kind === "local" || share === "never" || view.isNear) return advice;
  if (view.missingBytes === 0 && !view.isSilent) return advice;
  if (home.jobs >= home.slots) return advice;
  const { uploadBytesPerSecond, hostId } = view;
  const isLinkUnknown = uploadBytesPerSecond === undefined;
  const isIdle = isLinkUnknown
    ? isFar({ roundTripMs: view.roundTripMs ?? view.likelyRoundTripMs }) &&
      home.unfinishedJobs > 1 &&
      (home.compileMs ?? 0) <= longCompileMs
    : home.compileMs === undefined &&
      transferMs(view.aheadBytes + view.missingBytes, uploadBytesPerSecond) > shortUploadMs;
  if (!isIdle) return advice;
  return {
    kind: "local",
    why: "idle",
    homeMs: homeFinishMs(home),
    remoteMs: remoteFinishMs(view),
    hostId,
  };
}

function queueMsOf({ jobsAhead, meanCompileMs, slots }: ServerView, compileMs: number): number {
  return (jobsAhead * (meanCompileMs ?? compileMs)) / Math.max(1, slots);
}

function transferMs(bytes: number, bytesPerSecond: number | undefined): number {
  return bytesPerSecond === undefined ? 0 : (bytes / bytesPerSecond) * 1000;
}
