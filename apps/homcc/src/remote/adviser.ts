import { createHash } from "node:crypto";
import type { Action } from "@homcc/cas/action";
import type { LoadedSettings } from "@homcc/config/load";
import { type Clock, systemClock } from "@homcc/observability/clock";
import { type HostId, hostIdOf } from "@homcc/scheduler/host";
import type { Ledger } from "@homcc/scheduler/ledger";
import { localLimit } from "@homcc/scheduler/local-slots";
import type { HostPool } from "@homcc/scheduler/placement";
import {
  type Advice,
  advise,
  type HomeShare,
  homeFinishMs,
  type HomeView,
  reconsider,
  remoteFinishMs,
  type ServerView,
} from "@homcc/scheduler/prediction";
import type { HomeLoad } from "../home-load.ts";
import type { Outlook, RemoteResult } from "./session.ts";

/** What the adviser asks of the servers. */
export interface KnownServers {
  outlookOn(host: HostId, action: Pick<Action, "inputs">): Outlook | undefined;
}

type LinkRates = Pick<ServerView, "uploadBytesPerSecond" | "downloadBytesPerSecond">;

/** A job as the ledger knows it. */
export interface LedgerJob {
  readonly action: Pick<Action, "inputs" | "sandbox">;
  /** Of `fileKey`. */
  readonly key: string;
  readonly loaded: LoadedSettings;
  readonly pool: Pick<HostPool, "heldOn" | "waiting" | "missedFor">;
}

/** After so long without a job a server gets one again, whatever is known of it: its link may have become better. */
const probeAfterMs = 60_000;

/**
 * To find out that a server leaves its jobs waiting costs an idle core 250 ms, and what it lacks of one some 20 ms of a busy machine: for
 * so long the next ones rely on it.
 */
const holdsMs = 2_500;

/** What makes a compile of one source longer or shorter than another. */
const costlyFlag = /^-(O|g|std=|fsanitize|flto|m(arch|tune)=|x)/;

/** Names a file and the kind of its compile in the ledger. Short: there are thousands of them. */
export function fileKey(source: string, argv: readonly string[]): string {
  const kind = argv.filter((word) => costlyFlag.test(word)).join(" ");
  return createHash("sha256").update(`${source}\0${kind}`).digest("base64url").slice(0, 12);
}

/** Puts together what ledger, connections and local slots know of a job, and says where it is done sooner. */
export class Adviser {
  readonly #ledger: Ledger;
  readonly #servers: KnownServers;
  readonly #home: HomeLoad;
  readonly #clock: Clock;
  readonly #usedAtMs = new Map<HostId, number>();
  /** What servers lacked of the job that was last found to be slower there. */
  readonly #lastMissing = new Map<HostId, { readonly missingBytes: number; readonly atMs: number }>();
  /** When a job last came home to an idle core while nobody knew the link. */
  readonly #foundWaitingAtMs = new Map<HostId, number>();

  constructor(ledger: Ledger, servers: KnownServers, home: HomeLoad, clock: Clock = systemClock) {
    this.#ledger = ledger;
    this.#servers = servers;
    this.#home = home;
    this.#clock = clock;
  }

  /** For a job that has no server yet. */
  advise(job: LedgerJob, tried: ReadonlySet<HostId>): Advice {
    const views = this.#views(job, tried);
    const { advice, neglected } = this.#judge(job, views);
    if (neglected !== undefined) {
      this.used(neglected);
      return { kind: "remote" };
    }
    if (advice.kind === "local" && advice.why === "servers-are-slower") this.#noteMissing(views);
    return advice;
  }

  /**
   * For a job whose inputs nobody has listed: `local` when it comes home even if servers lack no more of them than of the last
   * job that was slower there, which counts for a moment only.
   */
  adviseUnlisted(job: Omit<LedgerJob, "action">): Advice {
    const unlisted = { ...job, action: unlistedAction(job) };
    const views = this.#views(unlisted, new Set()).map((view) => ({
      ...view,
      missingBytes: this.#recentlyMissing(view.hostId),
    }));
    const { advice, neglected } = this.#judge(unlisted, views);
    return neglected === undefined ? advice : { kind: "remote" };
  }

  #noteMissing(views: readonly ServerView[]): void {
    const atMs = this.#clock.monotonicMs();
    for (const { hostId, missingBytes } of views) this.#lastMissing.set(hostId, { missingBytes, atMs });
  }

  #recentlyMissing(host: HostId): number {
    const { missingBytes = 0, atMs = -Infinity } = this.#lastMissing.get(host) ?? {};
    return this.#clock.monotonicMs() - atMs < holdsMs ? missingBytes : 0;
  }

  /** `neglected`: a server that has to be tried again before the advice to stay is believed. */
  #judge(
    job: LedgerJob,
    views: readonly ServerView[],
  ): { readonly advice: Advice; readonly neglected?: HostId } {
    const home = this.#homeView(job, 1);
    const advice = advise(views, home, shareOf(job));
    if (advice.kind === "remote") {
      const areWaiting = views.every(({ hostId }) => this.#isWaitingOn(hostId));
      return { advice: areWaiting ? this.#unanswered(views, home, shareOf(job)) : advice };
    }
    const neglected = views.find(({ hostId, jobs }) => jobs === 0 && this.#isDue(hostId));
    return neglected === undefined ? { advice } : { advice, neglected: neglected.hostId };
  }

  /** For a job that is with a server and not compiled yet. `isSilent`: the server has not said what it lacks. */
  reconsider(job: LedgerJob, host: HostId, isSilent = false): Advice {
    const view = this.#view(job, host);
    if (view === undefined) return { kind: "remote" };
    // It is one of the jobs there itself.
    const jobs = Math.max(0, view.jobs - 1);
    return this.#noted(reconsider({ ...view, jobs, isSilent }, this.#homeView(job, 0), shareOf(job)));
  }

  /** For one of `unprepared` jobs whose inputs and compiler are not known yet: as for one that no server has answered. */
  adviseUnprepared(job: Omit<LedgerJob, "action">, unprepared: number): Advice {
    const action = unlistedAction(job);
    const home = this.#homeView({ ...job, action }, unprepared);
    const views = this.#views({ ...job, action }, new Set());
    return this.#noted(this.#unanswered(views, home, shareOf({ ...job, action })));
  }

  /**
   * For a job that waits for a server, whatever is known of it and of its servers: when they have been gone for some seconds, a free local
   * slot takes it. The others go on waiting.
   */
  adviseMissed(job: LedgerJob, passed: ReadonlySet<HostId>): Advice {
    const [hostId] = job.pool.missedFor({ tried: passed });
    if (hostId === undefined || job.loaded.settings.noLocalCompilation) return { kind: "remote" };
    const home = this.#homeView(job, 0);
    if (home.jobs >= home.slots) return { kind: "remote" };
    return { kind: "local", why: "missed", homeMs: homeFinishMs(home), remoteMs: undefined, hostId };
  }

  #noted(advice: Advice): Advice {
    if (advice.kind === "local" && advice.why === "idle")
      this.#foundWaitingAtMs.set(advice.hostId, this.#clock.monotonicMs());
    return advice;
  }

  /** As for a job that none of the servers has answered. */
  #unanswered(views: readonly ServerView[], home: HomeView, share: HomeShare): Advice {
    const all = views.map((view) => reconsider({ ...view, isSilent: true }, home, share));
    return all.find(({ kind }) => kind === "remote") ?? all[0] ?? { kind: "remote" };
  }

  #isWaitingOn(host: HostId): boolean {
    return this.#clock.monotonicMs() - (this.#foundWaitingAtMs.get(host) ?? -Infinity) < holdsMs;
  }

  /** When the job would be done on that server; `undefined` when that is unknown. */
  finishMs(job: LedgerJob, host: HostId): number | undefined {
    const view = this.#view(job, host);
    return view === undefined ? undefined : remoteFinishMs(view);
  }

  /** A job goes there. */
  used(host: HostId): void {
    this.#usedAtMs.set(host, this.#clock.monotonicMs());
  }

  /** What a result tells. */
  learn({ key }: LedgerJob, host: HostId, { cost, reuse, termination }: RemoteResult): void {
    if (termination.kind !== "exited" || termination.status !== 0) return;
    const compileMs = reuse?.fromCache === true ? undefined : cost.compileMs;
    this.#ledger.noteRemote(key, host, { compileMs, receivedBytes: cost.receivedBytes });
  }

  /** What is known of the link to a server. */
  link(host: HostId): LinkRates {
    const outlook = this.#servers.outlookOn(host, { inputs: [] });
    return {
      uploadBytesPerSecond: outlook?.uploadBytesPerSecond,
      downloadBytesPerSecond: outlook?.downloadBytesPerSecond,
    };
  }

  /** The compile was run here, alone in its slot. */
  learnHome(key: string, ms: number): void {
    this.#ledger.noteHome(key, ms);
  }

  /** `more`: jobs that are neither here nor on a server. */
  #homeView({ key, loaded, pool }: LedgerJob, more: number): HomeView {
    const { meanHomeMs } = this.#ledger;
    const away = loaded.hosts.reduce((sum, host) => sum + pool.heldOn(hostIdOf(host)), pool.waiting);
    return {
      slots: localLimit(loaded.localhost.configured ? loaded.localhost.limit : undefined),
      jobs: this.#home.jobs,
      unfinishedJobs: Math.max(1, this.#home.jobs + away + more),
      compileMs: this.#ledger.homeMs(key) ?? meanHomeMs,
      meanCompileMs: meanHomeMs,
    };
  }

  #views(job: LedgerJob, tried: ReadonlySet<HostId>): ServerView[] {
    const hosts = job.loaded.hosts.filter((host) => host.limit > 0).map((host) => hostIdOf(host));
    return hosts.flatMap((host) => (tried.has(host) ? [] : (this.#view(job, host) ?? [])));
  }

  #view({ action, key, loaded, pool }: LedgerJob, hostId: HostId): ServerView | undefined {
    const outlook = this.#servers.outlookOn(hostId, action);
    if (outlook === undefined) return undefined;
    const limit = loaded.hosts.find((host) => hostIdOf(host) === hostId)?.limit ?? 1;
    const jobs = pool.heldOn(hostId);
    return {
      ...outlook,
      isSilent: false,
      hostId,
      jobs,
      jobsAhead: Math.max(outlook.jobsAhead, jobs < limit ? 0 : pool.waiting + 1),
      slots: Math.min(limit, outlook.slots ?? limit),
      compileMs: this.#ledger.remoteMs(key, hostId) ?? this.#ledger.meanRemoteMs,
      resultBytes: this.#ledger.receivedBytes(key) ?? this.#ledger.meanReceivedBytes,
      meanCompileMs: this.#ledger.meanRemoteMs,
    };
  }

  #isDue(host: HostId): boolean {
    return this.#clock.monotonicMs() - (this.#usedAtMs.get(host) ?? -Infinity) >= probeAfterMs;
  }
}

function unlistedAction({ loaded: { settings } }: Omit<LedgerJob, "action">): LedgerJob["action"] {
  return { inputs: [], sandbox: settings.sandbox.kind === "none" ? undefined : settings.sandbox };
}

/** In a sandbox the user wants another compiler than this machine's. */
function shareOf({ action: { sandbox }, loaded: { settings, localhost } }: LedgerJob): HomeShare {
  if (settings.noLocalCompilation || sandbox !== undefined) return "never";
  return localhost.configured ? "if-sooner" : "if-servers-are-slower";
}
