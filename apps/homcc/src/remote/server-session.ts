import { dirname } from "node:path";
import type { Action, DeclaredOutput, InputEntry } from "@homcc/cas/action";
import type { Digest } from "@homcc/cas/digest";
import { Fingerprints } from "@homcc/cas/fingerprints";
import type { Toolchain } from "@homcc/compiler/toolchain";
import { systemClock } from "@homcc/observability/clock";
import { hasCode, HomccError } from "@homcc/observability/error";
import type { Welcome } from "@homcc/protocol/hello";
import { EntryNumbering } from "@homcc/protocol/session-entries";
import type { HostId } from "@homcc/scheduler/host";
import type { ClientChannel } from "@homcc/transport/channel";
import type { OutputBase, OutputBases } from "./output-bases.ts";
import { RefusedByServer } from "./refusal.ts";
import { type ContentAtHome, Proofs } from "./possession.ts";
import { type Prove, RemoteRun, type Upload } from "./remote-run.ts";
import { BaseChanged } from "./result-receiver.ts";
import type { RecentContents } from "./recent-contents.ts";
import type { ServerDescription } from "./server-status.ts";
import {
  DroppedJob,
  type JobDescription,
  type Outlook,
  type RemoteResult,
  type ServerWay,
  type Session,
  UnheardJob,
} from "./session.ts";
import { SessionOutlook, UnsentFiles } from "./session-outlook.ts";
import { notSent, notThere } from "./toolchains/not-there.ts";
import type { ShippingLink, ToolchainShipments } from "./toolchains/toolchain-shipments.ts";
import { ToolchainUpload, type UploadWatch } from "./toolchains/toolchain-upload.ts";
import { type UploadFile, Uploads } from "./uploads.ts";

/** What the sessions of one agent share: contents that both ends have, and from which others can be told. */
export interface KnownContents {
  readonly recent: RecentContents;
  readonly outputs: OutputBases;
}

interface RunningJob {
  readonly run: RemoteRun;
  /** What the connection had received when the job was sent. */
  readonly receivedBytesThen: number;
}

/** The share of a session's numbers after which a new connection is due; a job needs less than the rest. */
const fullAtShare = 0.75;

/**
 * Another output as the base of a new one makes a clean build 4 % shorter and costs a laptop 1.5 ms for an object of 350 kB. At
 * this rate that is as long as its processor takes: 3.5 kB of the 85 kB that such an object is on the wire.
 */
const cheapBytesPerSecond = 8e6;

/** The agent's end of one connection to a server. Jobs share it, and the numbers of the files they name. */
export class ServerSession implements Session, ShippingLink {
  readonly hostId: HostId;
  readonly #channel: ClientChannel;
  readonly #welcome: Welcome;
  readonly #numbering = new EntryNumbering();
  /** Paths the server has as present, folders included: only of these can an absence be news. Bounded by the numbers. */
  readonly #present = new Fingerprints();
  readonly #uploads: Uploads;
  readonly #outputs: OutputBases;
  readonly #outlook: SessionOutlook;
  readonly #unsent: UnsentFiles;
  readonly #running = new Set<RunningJob>();
  readonly #way: ServerWay | undefined;
  readonly #shipments: ToolchainShipments | undefined;
  #isRetired = false;
  #isDoubtedAfterSleep = false;

  /** `way`: what has to stay up while a job runs. Without `shipments` no toolchain is sent. */
  constructor(
    hostId: HostId,
    channel: ClientChannel,
    welcome: Welcome,
    known: KnownContents,
    way?: ServerWay,
    shipments?: ToolchainShipments,
  ) {
    this.hostId = hostId;
    this.#channel = channel;
    this.#welcome = welcome;
    this.#uploads = new Uploads(channel, known.recent, (digest) => this.#numbering.isNamed(digest));
    this.#outputs = known.outputs;
    this.#unsent = new UnsentFiles((digest) => this.#numbering.isNamed(digest), this.#uploads);
    this.#outlook = new SessionOutlook(systemClock, () => channel.receivedBytes);
    this.#way = way;
    this.#shipments = shipments;
    channel.measureDistance();
    if (shipments !== undefined) void channel.closed.then(() => shipments.connectionEnded(hostId));
  }

  /** What the server says about itself, and how far away it is. */
  get description(): ServerDescription {
    const { server, executors, slots } = this.#welcome;
    return { version: server, executors, serverSlots: slots, roundTripMs: this.#channel.roundTripMs };
  }

  /** False once the connection ended or its numbers are nearly used up: jobs then need a new one. */
  get takesJobs(): boolean {
    return this.#channel.isOpen && !this.#isRetired && this.#numbering.usedShare < fullAtShare;
  }

  outlook(action: Pick<Action, "inputs">): Outlook {
    const { isNear, sendRate, distanceMs, likelyDistanceMs } = this.#channel;
    const unsent = this.#unsent.of(action.inputs);
    const { wireShare, sendingBytes } = this.#uploads;
    return {
      isNear,
      uploadBytesPerSecond: sendRate,
      downloadBytesPerSecond: isNear ? undefined : this.#outlook.downloadBytesPerSecond,
      roundTripMs: distanceMs,
      likelyRoundTripMs: likelyDistanceMs,
      slots: this.#welcome.slots,
      missingBytes: wireShare * this.#outlook.wantedBytes(unsent),
      aheadBytes: wireShare * (sendingBytes - unsent.sendingBytes),
      jobsAhead: this.#outlook.jobsAhead,
    };
  }

  /** Ends the connection as soon as its last job has ended. */
  retire(): void {
    this.#isRetired = true;
    if (this.#running.size === 0) this.close("not needed any more");
  }

  /** The machine slept: the connection is worth nothing until the server says something on it. */
  doubtAfterSleep(): void {
    this.#isDoubtedAfterSleep = true;
    this.#channel.doubt();
  }

  /** The server has spoken. */
  believe(): void {
    this.#isDoubtedAfterSleep = false;
  }

  /**
   * The connection is silent where an answer is due, and its successor is up or does not come up. Jobs that have heard
   * nothing go elsewhere. Those that were heard wait, in case it was a bad moment of the network: after a sleep it was not, and
   * where a successor is up it is over soon.
   */
  giveUp(isReplaced: boolean): void {
    const { receivedBytes } = this.#channel;
    const unheard = [...this.#running].filter(({ receivedBytesThen }) => receivedBytesThen === receivedBytes);
    for (const { run } of unheard) run.cancel(new UnheardJob(this.hostId));
    if (this.#isDoubtedAfterSleep) this.close("silent since the machine slept");
    else if (isReplaced) this.#channel.abandon("replaced");
  }

  lose(): void {
    // Without a job nobody waits for it, and it may speak after all.
    if (this.#running.size > 0) this.#channel.abandon("unreachable");
  }

  /** Runs the action there. Rejects when it was refused or the connection ended; aborting `signal` cancels the job. */
  async run(action: Action, job: JobDescription, signal: AbortSignal): Promise<RemoteResult> {
    using bases = new DisposableStack();
    const open = ({ path }: DeclaredOutput): OutputBase | undefined => {
      const base = this.#outputs.open(this.hostId, path, this.#bytesAreCheap);
      return base === undefined ? undefined : bases.use(base);
    };
    try {
      const usable = this.#channel.usesDeltas ? action.outputs.map(open) : [];
      return await this.#runWithToolchain(action, job, signal, usable);
    } catch (error) {
      if (this.#channel.isLost && hasCode(error, "ERR_HOMCC_CONNECTION_LOST")) {
        if (!(error instanceof UnheardJob)) throw new DroppedJob(error);
      }
      if (!(error instanceof BaseChanged)) throw error;
      // Somebody wrote into an output meanwhile. Once more, and whole.
      return await this.#run(action, job, signal, []);
    }
  }

  upload(toolchain: Toolchain, watch: UploadWatch, signal: AbortSignal): Promise<void> {
    return new ToolchainUpload(this.#channel, toolchain, watch, signal).run();
  }

  /** A server that lacks the toolchain, and takes it, is given it; most jobs go elsewhere meanwhile. */
  async #runWithToolchain(
    action: Action,
    job: JobDescription,
    signal: AbortSignal,
    bases: readonly (OutputBase | undefined)[],
  ): Promise<RemoteResult> {
    const shipments = this.#shipments;
    const { digest } = job.toolchain;
    const onProgress = (): void => job.onProgress?.();
    const patience = job.isPatient === true ? { signal, onProgress } : undefined;
    if (patience !== undefined) await shipments?.settled(this.hostId, digest, patience);
    const standing = action.sandbox === undefined ? shipments?.standing(this.hostId, digest) : undefined;
    if (standing !== undefined && standing.kind !== "ready") throw notThere(standing);
    try {
      return await this.#run(action, job, signal, bases);
    } catch (error) {
      if (!(error instanceof RefusedByServer) || error.refused.reason !== "toolchain-missing") throw error;
      const { identities } = error.refused;
      if (shipments === undefined || job.offered === undefined) throw notSent(error);
      const offered = await shipments.offer(this, job.offered, identities, patience);
      if (offered.kind !== "ready") throw notThere(offered);
      return await this.#run(action, job, signal, bases);
    }
  }

  async #run(
    action: Action,
    job: JobDescription,
    signal: AbortSignal,
    bases: readonly (OutputBase | undefined)[],
  ): Promise<RemoteResult> {
    signal.throwIfAborted();
    using _use = this.#way?.use();
    const isMapped = action.sandbox === undefined && !this.#welcome.executors.includes("namespace");
    if (job.mappedVeto !== undefined && isMapped) {
      throw new RefusedByServer({ reason: "mapped-unsupported", message: job.mappedVeto });
    }
    const given = new AbortController();
    const upload: Upload = async (digests, count) =>
      await this.#uploads.send(filesOf(digests, action.inputs), count, job.onProgress, given.signal);
    const proofs = new Proofs(contentsAtHome(action, bases), given.signal);
    const prove: Prove = (message) => proofs.answer(message);
    const run = new RemoteRun(action, this.#channel, upload, prove, bases);
    using watched = this.#outlook.watch(job, this.#unsent.of(action.inputs).freshBytes);
    const absent = (): readonly string[] => this.#absentHere(action);
    this.#numbering.encode(action.inputs, absent, (coded, edited) => {
      const news = edited
        .filter(({ digest, path }) => this.#uploads.isQuick(digest, path))
        .map(({ digest }) => digest);
      run.start(watched.job, coded, news);
      for (const { kind, path } of coded.declare) if (kind !== "absent") this.#notePresent(path);
    });
    // A turn later, when the bytes are with the kernel.
    if (job.onSent !== undefined) setImmediate(job.onSent);
    const cancel = (): void => {
      given.abort(signal.reason);
      run.cancel(signal.reason);
    };
    signal.addEventListener("abort", cancel, { once: true });
    const running: RunningJob = { run, receivedBytesThen: this.#channel.receivedBytes };
    this.#running.add(running);
    try {
      const receiver = await run.finished;
      const { message } = receiver;
      return {
        termination: message.termination,
        stdout: receiver.stdout,
        stderr: receiver.stderr,
        undeclared: message.undeclared,
        unlisted: message.unlisted ?? [],
        executor: message.executor,
        localeKnown: message.localeKnown,
        sandboxToolchain: message.sandboxToolchain,
        reuse: message.reuse,
        written: receiver.written,
        produced: receiver.produced,
        cost: {
          host: this.hostId,
          executor: message.executor,
          compileMs: message.usage.wallMs,
          ...run.cost,
        },
        commit: async () => {
          await receiver.commit();
          for (const { path, digest } of receiver.written) this.#outputs.note(this.hostId, path, digest);
        },
        discard: () => receiver.discard(),
      };
    } finally {
      signal.removeEventListener("abort", cancel);
      // Whatever it still asked for.
      given.abort();
      this.#running.delete(running);
      if (this.#isRetired) this.retire();
    }
  }

  /** More than what the outputs of others save. */
  get #bytesAreCheap(): boolean {
    const { downloadBytesPerSecond = 0 } = this.#outlook;
    return this.#channel.isFast || downloadBytesPerSecond > cheapBytesPerSecond;
  }

  /** The folders above it exist in the mirror too; of a removed folder only the folder's own name is absent. */
  #notePresent(path: string): void {
    for (let name = path; !this.#present.has(name) && name !== "/"; name = dirname(name))
      this.#present.add(name);
  }

  close(reason: string): void {
    void this.#channel.close(reason);
  }

  /**
   * A job in a namespace sees the toolchain, which is equal on both sides, and this session's files, so that a name
   * that was never sent cannot exist there. A mapped job sees the server's own system folders: it gets every name.
   */
  #absentHere(action: Action): readonly string[] {
    if (!this.#welcome.executors.includes("namespace")) return action.absent;
    return action.absent.filter((path) => this.#present.has(path));
  }
}

/** By a table: looking for each of thousands in the list would hold the loop for 100 ms. */
function filesOf(digests: readonly Digest[], inputs: readonly InputEntry[]): UploadFile[] {
  const paths = new Map<Digest, string>();
  for (const input of inputs) if (input.kind === "file") paths.set(input.digest, input.path);
  return [...new Set(digests)].map((digest) => {
    const path = paths.get(digest);
    if (path !== undefined) return { digest, path };
    throw new HomccError("ERR_HOMCC_PROTOCOL", `the server asks for ${digest}, which no input has`);
  });
}

/** Of one job only: a server learns nothing of other files. */
function contentsAtHome(
  { inputs }: Action,
  bases: readonly (OutputBase | undefined)[],
): (digest: Digest) => ContentAtHome | undefined {
  const contents = new Map<Digest, ContentAtHome>();
  for (const base of bases) if (base !== undefined) contents.set(base.digest, { base });
  for (const input of inputs) if (input.kind === "file") contents.set(input.digest, { path: input.path });
  return (digest) => contents.get(digest);
}
