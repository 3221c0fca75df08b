import type { Action, DeclaredOutput } from "@homcc/cas/action";
import { type Digest, sizeBytesOf } from "@homcc/cas/digest";
import { systemClock } from "@homcc/observability/clock";
import { HomccError } from "@homcc/observability/error";
import type { ClientMessage, JobMessage, ServerMessage } from "@homcc/protocol/messages";
import type { CodedEntries } from "@homcc/protocol/session-entries";
import type { ClientChannel, StreamHandler } from "@homcc/transport/channel";
import type { StreamBytes } from "@homcc/transport/inbound-stream";
import type { RemoteCost } from "../conclusion.ts";
import { RefusedByServer } from "./refusal.ts";
import type { OutputBase } from "./output-bases.ts";
import { type ExpectedOutput, ResultReceiver } from "./result-receiver.ts";
import type { JobDescription } from "./session.ts";
import type { PendingUpload } from "./upload-progress.ts";

/** Sends blobs the server lacks; `count` is told the bytes of each, 0 when another job sends it already. */
export type Upload = (digests: readonly Digest[], count: (bytes: number) => void) => Promise<void>;

/** Shows the server that this client has what it asks about. */
export type Prove = (
  message: Extract<ServerMessage, { kind: "prove" }>,
) => Promise<Extract<ClientMessage, { kind: "proof" }>>;

/** What it has lost meanwhile, or was told by what it lacks, a server asks for once more. */
const maxTimesAsked = 3;

/** One job on its stream, from the job message to the last byte of its result. */
export class RemoteRun {
  /**
   * The complete result; rejects when the job was refused, cancelled, or the connection ended, and then nothing of it
   * is left on the disk.
   */
  readonly finished: Promise<ResultReceiver>;
  readonly #action: Action;
  readonly #outputs: readonly ExpectedOutput[];
  readonly #channel: ClientChannel;
  readonly #upload: Upload;
  readonly #prove: Prove;
  readonly #resolve: (receiver: ResultReceiver) => void;
  readonly #reject: (reason: unknown) => void;
  #stream = 0;
  #bytes: Readonly<StreamBytes> = { sent: 0, received: 0 };
  #uploadedBytes = 0;
  #uploadMs = 0;
  /** How often the server asked for each blob. */
  readonly #asked = new Map<Digest, number>();
  #receiver: ResultReceiver | undefined;
  #onUpload: JobDescription["onUpload"];
  #onProgress: JobDescription["onProgress"];
  #onPhase: JobDescription["onPhase"];
  #onQueued: JobDescription["onQueued"];
  /** The result is complete or given up; whatever happens later is not its business. */
  #isOver = false;

  /** `bases`: of each output of the action, what the server may tell it by. */
  constructor(
    action: Action,
    channel: ClientChannel,
    upload: Upload,
    prove: Prove,
    bases: readonly (OutputBase | undefined)[],
  ) {
    this.#action = action;
    this.#outputs = action.outputs.map(({ path }, index) => ({ path, base: bases[index] }));
    this.#channel = channel;
    this.#upload = upload;
    this.#prove = prove;
    const finished = Promise.withResolvers<ResultReceiver>();
    this.finished = finished.promise;
    this.#resolve = finished.resolve;
    this.#reject = finished.reject;
  }

  /** Wire bytes of this job, the blobs it had sent included. */
  get cost(): Pick<RemoteCost, "sentBytes" | "receivedBytes" | "uploadMs"> {
    const { sent, received } = this.#bytes;
    return {
      sentBytes: sent + this.#uploadedBytes,
      receivedBytes: received,
      uploadMs: this.#uploadMs,
    };
  }

  /**
   * Puts the job on the wire before it returns: the session's numbers depend on the order of jobs. `news` are blobs that
   * the server is believed to lack: they follow at once, which saves the round trip of being asked for them.
   */
  start(job: JobDescription, coded: CodedEntries, news: readonly Digest[]): void {
    const { steps, cwd, environment, umask, terminal, outputs, timeoutMs, sandbox } = this.#action;
    this.#onUpload = job.onUpload;
    this.#onProgress = job.onProgress;
    this.#onPhase = job.onPhase;
    this.#onQueued = job.onQueued;
    this.#onPhase?.("send");
    this.#stream = this.#channel.openStream(this.#handler());
    this.#bytes = this.#channel.bytesOf(this.#stream);
    try {
      this.#channel.send(this.#stream, {
        kind: "job",
        toolchain: identityOf(job.toolchain),
        steps: steps.map(({ program, argv }) => ({ program, argv: [...argv] })),
        cwd,
        environment: { ...environment },
        umask,
        terminal,
        ...coded,
        outputs: outputs.map((output, index) => withBase(output, this.#outputs[index]?.base)),
        timeoutMs,
        ...(job.locale === undefined ? {} : { locale: job.locale }),
        ...(sandbox === undefined ? {} : { sandbox }),
        ...(sandbox === undefined || job.mappedVeto === undefined ? {} : { mappedVeto: job.mappedVeto }),
        label: job.label,
      });
    } catch (error) {
      this.#channel.closeStream(this.#stream);
      throw error;
    }
    if (news.length > 0) void this.#attempt(() => this.#sendBlobs(news));
  }

  /** Ends the job on the server too, its processes included. */
  cancel(reason: unknown): void {
    if (this.#isOver) return;
    this.#channel.send(this.#stream, { kind: "cancel" });
    this.#abandon(reason);
  }

  #handler(): StreamHandler<ServerMessage> {
    return {
      onMessage: (message) => this.#receive(message),
      onData: (bytes) => {
        this.#onProgress?.(bytes.byteLength);
        return this.#attempt(() => this.#receiverOrThrow().data(bytes));
      },
      onEnd: () => {
        void this.#attempt(async () => {
          const receiver = this.#receiverOrThrow();
          await receiver.end();
          if (this.#isOver) return;
          this.#isOver = true;
          this.#resolve(receiver);
        });
      },
      onClose: (reason) => this.#abandon(reason),
    };
  }

  #receive(message: ServerMessage): void {
    switch (message.kind) {
      case "missing":
        this.#onPhase?.("send");
        void this.#attempt(async () => {
          this.#noteAsked(message.digests);
          const startedMs = systemClock.monotonicMs();
          using _waiting = this.#onUpload?.(this.#pendingUpload(message.digests));
          await this.#sendBlobs(message.digests);
          this.#uploadMs += systemClock.monotonicMs() - startedMs;
        });
        break;
      case "prove":
        void this.#attempt(async () => {
          const proof = await this.#prove(message);
          if (!this.#isOver) this.#channel.send(this.#stream, proof);
        });
        break;
      case "result":
        this.#onPhase?.("receive");
        void this.#attempt(async () => {
          if (this.#receiver !== undefined) throw new HomccError("ERR_HOMCC_PROTOCOL", "a second result");
          this.#receiver = new ResultReceiver(message, this.#outputs);
        });
        break;
      case "refused":
        this.#abandon(new RefusedByServer(message));
        break;
      case "queued":
        this.#onQueued?.(message.ahead);
        this.#onPhase?.("blocked");
        break;
      case "started":
        this.#onPhase?.("compile");
        break;
      case "inventory":
      case "stored":
      case "rejected":
        break;
    }
  }

  /** Each upload is progress: a server that asks for ever would keep the job for ever. */
  #noteAsked(digests: readonly Digest[]): void {
    for (const digest of digests) {
      const times = (this.#asked.get(digest) ?? 0) + 1;
      this.#asked.set(digest, times);
      if (times > maxTimesAsked)
        throw new HomccError("ERR_HOMCC_PROTOCOL", `the server asks for ${digest} again and again`);
    }
  }

  async #sendBlobs(digests: readonly Digest[]): Promise<void> {
    await this.#upload(digests, (bytes) => {
      this.#uploadedBytes += bytes;
    });
  }

  #pendingUpload(digests: readonly Digest[]): PendingUpload {
    const sizeBytes = digests.reduce((sum, digest) => sum + sizeBytesOf(digest), 0);
    return { server: this.#channel.peer, files: digests.length, sizeBytes };
  }

  /** A failure of this job ends this job, not the connection that others share. */
  async #attempt(step: () => Promise<void>): Promise<void> {
    try {
      await step();
    } catch (error) {
      this.cancel(error);
    }
  }

  #abandon(reason: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#channel.closeStream(this.#stream);
    const discarded = this.#receiver?.discard() ?? Promise.resolve();
    void discarded.finally(() => this.#reject(reason));
  }

  #receiverOrThrow(): ResultReceiver {
    if (this.#receiver === undefined)
      throw new HomccError("ERR_HOMCC_PROTOCOL", "data before the result it belongs to");
    return this.#receiver;
  }
}

function identityOf({
  digest,
  driver,
  family,
  version,
}: JobDescription["toolchain"]): JobMessage["toolchain"] {
  return { digest, driver, family, version };
}

function withBase(output: DeclaredOutput, base: OutputBase | undefined): JobMessage["outputs"][number] {
  return base === undefined ? output : { ...output, base: base.digest };
}
