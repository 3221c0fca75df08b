import type { BlobStore } from "@homcc/cas/blob-store";
import type { Digest } from "@homcc/cas/digest";
import type { LocalFileAdoption } from "@homcc/cas/local-file-adoption";
import type { ExecutorSession } from "@homcc/execution/executor";
import { describeError, hasCode, HomccError } from "@homcc/observability/error";
import type { Logger } from "@homcc/observability/log";
import type { Drain } from "@homcc/protocol/drain";
import type { ClientMessage, ServerMessage } from "@homcc/protocol/messages";
import type { EntryBudget } from "@homcc/protocol/entry-budget";
import { EntryTable } from "@homcc/protocol/session-entries";
import type { SlotQueue } from "@homcc/scheduler/slots";
import type { Credential } from "@homcc/transport/accept";
import type { ServerChannel, StreamHandler } from "@homcc/transport/channel";
import { type ClientIdentity, identityKeyOf } from "@homcc/transport/client-identity";
import { BlobUpload } from "./blob-upload.ts";
import type { Executions } from "./executions.ts";
import { BaseMissing, DeltaBlobs } from "./delta-blobs.ts";
import { IncomingBlobs } from "./incoming-blobs.ts";
import type { ServerInventory } from "./inventory.ts";
import { Job } from "./job.ts";
import { shuttingDown } from "./job-refusal.ts";
import type { Activity } from "./operations/activity.ts";
import type { ClientAccount, ClientAccounts } from "./operations/client-accounts.ts";
import { Possession } from "./possession.ts";
import { ClientSandboxes } from "./sandboxes/client-sandboxes.ts";
import type { Sandboxes } from "./sandboxes/sandboxes.ts";
import type { ResultReuse } from "./result-reuse.ts";
import type { OutputCoding } from "./output-coding.ts";
import { SentOutputs } from "./sent-outputs.ts";
import { UnsentResults } from "./unsent-results.ts";
import type { ToolchainRegistry } from "./toolchain-registry.ts";
import { ToolchainIntake, type ToolchainShipping } from "./toolchains/toolchain-intake.ts";
import { ToolchainQuestions } from "./toolchains/toolchain-questions.ts";

/** What every session of one homccd shares. */
export interface ServerServices {
  readonly store: BlobStore;
  /** Says of a blob of the store that it counts for a client, by its key. */
  readonly countFor: (client: string, digest: Digest) => void;
  readonly adoption: LocalFileAdoption;
  readonly toolchains: ToolchainRegistry;
  /** Absent where no client's toolchain can be run. */
  readonly shipping: ToolchainShipping | undefined;
  readonly sandboxes: Pick<Sandboxes, "enter">;
  readonly results: Pick<ResultReuse, "find">;
  readonly inventory: Pick<ServerInventory, "take">;
  readonly outputs: OutputCoding;
  readonly executions: Executions;
  /** How long jobs that run, and results, are there for a client whose connection dropped. */
  readonly lostClientGraceMs: number;
  readonly accounts: ClientAccounts;
  readonly activity: Pick<Activity, "begun" | "ended">;
  /** Permission to run one compiler; the clients are served in turn. */
  readonly slots: SlotQueue;
  /** For tests: in place of a minute. */
  readonly uploadWindowMs?: number;
  /** Memory for the numbered files of all clients. */
  readonly entryBudget: EntryBudget;
  readonly executor: string;
  readonly locales: ReadonlySet<string>;
  readonly logger: Logger;
}

/** Jobs of one connection that wait or run at once; a client with more is told to keep them. */
const maxJobsPerConnection = 1024;

/** An upload holds memory or a file of the store; a client of ours has 32 at once. */
const maxUploadsPerClient = 256;

/** An upload goes on while its connection brings this much in this time: of what nobody sends the memory is given back. */
const uploadWindowMs = 60_000;
const minUploadWindowBytes = 4096;

/** Results that wait for a client's line. A client that fetches nothing is given no more to fetch. */
const maxUnsentBytes = 64 << 20;

/** A connection and whose it is. */
export interface ConnectedClient {
  readonly channel: ServerChannel;
  /** For limits, the access log, and whatever else is told or kept of a client. */
  readonly identity: ClientIdentity;
  /** `undefined` for an address. */
  readonly credential: Credential | undefined;
}

/** One client connection: its numbered files, its jobs, its uploads. */
export class ClientSession {
  readonly identity: ClientIdentity;
  readonly credential: Credential | undefined;
  readonly #channel: ServerChannel;
  readonly #executorSession: ExecutorSession;
  readonly #sandboxes = new ClientSandboxes();
  readonly #services: ServerServices;
  readonly #entries: EntryTable;
  readonly #opened: Disposable & { readonly account: ClientAccount };
  readonly #unsent: UnsentResults;
  readonly #incoming = new IncomingBlobs();
  readonly #possession: Possession;
  readonly #sent = new SentOutputs();
  readonly #deltas: DeltaBlobs;
  readonly #intake: ToolchainIntake | undefined;
  readonly #questions: ToolchainQuestions;
  readonly #jobs = new Set<Job>();
  /** With what the connection had received when it was last looked at; not for those that came since. */
  readonly #uploads = new Map<BlobUpload, number | undefined>();
  #uploadWatch: NodeJS.Timeout | undefined;
  #drain: Drain | undefined;
  /** Called when the last job has ended. */
  #onIdle: () => void = () => {};

  constructor(
    { channel, identity, credential }: ConnectedClient,
    executorSession: ExecutorSession,
    services: ServerServices,
  ) {
    this.identity = identity;
    this.credential = credential;
    this.#channel = channel;
    this.#executorSession = executorSession;
    this.#services = services;
    this.#opened = services.accounts.open(identity);
    const { account } = this.#opened;
    this.#unsent = new UnsentResults(maxUnsentBytes, account);
    channel.limitReceiving((bytes) => account.received(bytes));
    this.#entries = new EntryTable(services.entryBudget);
    const client = identityKeyOf(identity);
    this.#possession = new Possession(services.store, channel.provesPossession, (digest) =>
      services.countFor(client, digest),
    );
    this.#deltas = new DeltaBlobs(services.store, this.#possession);
    const { shipping } = services;
    this.#intake =
      shipping === undefined || !channel.shipsToolchains
        ? undefined
        : new ToolchainIntake(shipping, this.#possession, client);
    this.#questions = new ToolchainQuestions(channel, this.#intake);
  }

  /**
   * Serves the client until the connection ends and nothing runs for it any more: at once when it said goodbye, or else
   * after the grace, or as soon as the last compiler ends that others wait for.
   */
  async run(): Promise<void> {
    this.#channel.serve((stream, message) => this.#accept(stream, message));
    const reason = await this.#channel.closed;
    this.#services.logger.info(`${this.#channel.peer}: ${describeError(reason)}`);
    for (const job of this.#jobs) this.#endJob(job, reason);
    this.#entries.release();
    this.#opened[Symbol.dispose]();
    await this.#services.executions.ended(this.#executorSession);
    await Promise.all([this.#executorSession.close(), this.#sandboxes.close()]);
  }

  /** Wire bytes so far. */
  get bytes(): { readonly received: number; readonly sent: number } {
    return { received: this.#channel.receivedBytes, sent: this.#channel.sentBytes };
  }

  /** Jobs that run or wait. */
  get jobs(): number {
    return this.#jobs.size;
  }

  /**
   * Begins no more jobs, finishes those that run, and ends the connection when the client has received their results. A client that
   * understands ends it itself; `run` resolves then.
   */
  async drain(drain: Drain): Promise<void> {
    if (this.#drain !== undefined) return;
    this.#drain = drain;
    const isTold = this.#channel.announceDrain(drain);
    for (const job of this.#jobs) job.turnAway();
    if (isTold) return;
    if (this.#jobs.size > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    await this.#channel.received();
    await this.end();
  }

  /** Ends the connection of a client that is not to be served any more; its jobs end with it. */
  async turnOut(why: string): Promise<void> {
    await this.#channel.close(why);
  }

  /** Ends the connection now, so that the client looks for the next server behind this address, if one is expected there. */
  async end(): Promise<void> {
    if (this.#drain === "returning") await this.#channel.drop("homccd is ending");
    else await this.#channel.close("homccd is ending");
  }

  #accept(stream: number, message: ClientMessage): StreamHandler<ClientMessage> | undefined {
    switch (message.kind) {
      case "job":
        return this.#acceptJob(stream, message);
      case "blob":
        return this.#acceptBlob(stream, message);
      case "survey":
        void this.#answerSurvey(stream);
        return { onMessage: () => {} };
      case "toolchain":
      case "pieces":
        return this.#questions.accept(stream, message);
      case "proof":
      case "cancel":
        return undefined;
    }
  }

  #acceptJob(
    stream: number,
    message: Extract<ClientMessage, { kind: "job" }>,
  ): StreamHandler<ClientMessage> | undefined {
    // First of all, and for refused jobs too: later jobs count on the numbers this one declares.
    const files = this.#entries.resolve(message);
    if (this.#drain !== undefined) {
      this.#channel.send(stream, { kind: "refused", ...shuttingDown }, { end: true });
      return undefined;
    }
    const { account } = this.#opened;
    const text =
      this.#jobs.size >= maxJobsPerConnection
        ? `more than ${maxJobsPerConnection} jobs on one connection`
        : account.whyNoJob();
    if (text !== undefined) {
      this.#channel.send(stream, { kind: "refused", reason: "limited", message: text }, { end: true });
      return undefined;
    }
    const job = new Job(
      stream,
      { ...message, ...files },
      this.#channel,
      this.#executorSession,
      this.#sandboxes,
      this.#services,
      this.#unsent,
      this.#incoming,
      this.#possession,
      this.#sent,
      this.#intake,
      this.identity,
    );
    this.#jobs.add(job);
    account.jobs += 1;
    void job.run().finally(() => {
      this.#jobs.delete(job);
      account.jobs -= 1;
      if (this.#jobs.size === 0) this.#onIdle();
    });
    return {
      onMessage: (next) => {
        if (next.kind === "cancel") job.cancel(new Error("the client cancelled the job"));
        else if (next.kind === "proof") job.answer(next);
      },
      onClose: (reason) => this.#endJob(job, reason),
    };
  }

  #endJob(job: Job, reason: Error): void {
    if (this.#channel.isLost && this.#drain === undefined) job.lose(reason);
    else job.cancel(reason);
  }

  #acceptBlob(
    stream: number,
    { digest, base }: Extract<ClientMessage, { kind: "blob" }>,
  ): StreamHandler<ClientMessage> | undefined {
    if (this.#uploads.size >= maxUploadsPerClient) {
      const text = `more than ${maxUploadsPerClient} uploads of one client`;
      this.#channel.send(stream, { kind: "rejected", reason: "failed", message: text }, { end: true });
      return undefined;
    }
    this.#incoming.began(digest);
    const delta = base === undefined ? undefined : this.#deltas.reading(digest, base);
    const client = identityKeyOf(this.identity);
    const upload = new BlobUpload(digest, this.#services.store, { client, delta });
    this.#uploads.set(upload, undefined);
    this.#uploadWatch ??= setInterval(
      () => this.#endStalledUploads(),
      this.#services.uploadWindowMs ?? uploadWindowMs,
    );
    void this.#finishUpload(stream, upload);
    return {
      onMessage: () => {},
      onData: (bytes) => upload.push(bytes),
      onEnd: () => upload.end(),
      onClose: (reason) => upload.abort(reason),
    };
  }

  /** One that began after the last look has what is left of this window, and the next. */
  #endStalledUploads(): void {
    const { receivedBytes } = this.#channel;
    for (const [upload, before] of this.#uploads) {
      if (before === undefined || receivedBytes - before >= minUploadWindowBytes)
        this.#uploads.set(upload, receivedBytes);
      else upload.abort(new HomccError("ERR_HOMCC_CONNECTION_LOST", "the upload has stalled"));
    }
  }

  async #answerSurvey(stream: number): Promise<void> {
    const inventory = await this.#services.inventory.take();
    this.#channel.send(stream, { kind: "inventory", ...inventory }, { end: true });
  }

  async #finishUpload(stream: number, upload: BlobUpload): Promise<void> {
    const answer = await upload.stored.then((): ServerMessage => ({ kind: "stored" }), rejection);
    this.#uploads.delete(upload);
    if (this.#uploads.size === 0) {
      clearInterval(this.#uploadWatch);
      this.#uploadWatch = undefined;
    }
    if (answer.kind === "stored") this.#possession.note(upload.digest);
    this.#incoming.ended(upload.digest, answer.kind === "stored");
    this.#channel.send(stream, answer, { end: true });
  }
}

function rejection(error: unknown): ServerMessage {
  if (error instanceof BaseMissing) {
    return { kind: "rejected", reason: "base-missing", message: error.message };
  }
  const reason = hasCode(error, "ERR_HOMCC_DIGEST_MISMATCH")
    ? "digest-mismatch"
    : hasCode(error, "ERR_HOMCC_STORE_FULL")
      ? "server-full"
      : "failed";
  return { kind: "rejected", reason, message: describeError(error) };
}
