import type { InputEntry } from "@homcc/cas/action";
import { type Digest, sizeBytesOf } from "@homcc/cas/digest";
import type { Clock } from "@homcc/observability/clock";
import type { JobDescription } from "./session.ts";
import type { Uploads } from "./uploads.ts";

/** Weight of the newest job in what is learned of the ones before. */
const newest = 0.3;

/** Results below this come in one burst from a buffer and say nothing about the link. */
const minMeasuredBytes = 256 << 10;
const minMeasuredMs = 20;

/** Of a server whose queue nobody has told about for so long, none is known. */
const queueNewsMs = 5_000;

/** What one connection has shown so far of how jobs fare on it. */
export class SessionOutlook {
  readonly #clock: Clock;
  readonly #receivedBytes: () => number;
  /** Of the files that were new to the connection, what the server asked for: it has its own system headers, and a colleague's files. */
  #missingShare = 1;
  #queued = 0;
  #ahead: { readonly jobs: number; readonly atMs: number } | undefined;
  #receiving = 0;
  #receiveStart: { readonly bytes: number; readonly atMs: number } | undefined;
  #downloadBytesPerSecond: number | undefined;

  constructor(clock: Clock, receivedBytes: () => number) {
    this.#clock = clock;
    this.#receivedBytes = receivedBytes;
  }

  get downloadBytesPerSecond(): number | undefined {
    return this.#downloadBytesPerSecond;
  }

  /** Jobs that wait for a slot there before the next one. */
  get jobsAhead(): number {
    const { jobs = 0, atMs = -Infinity } = this.#ahead ?? {};
    if (this.#queued === 0) return 0;
    return Math.max(this.#queued, this.#clock.monotonicMs() - atMs < queueNewsMs ? jobs + 1 : 0);
  }

  /** What of the files of a job the server is believed to want, before compression. */
  wantedBytes({ freshBytes, sendingBytes }: UnsentBytes): number {
    return this.#missingShare * freshBytes + sendingBytes;
  }

  /** Learns from a job whose files of `freshBytes` are new to the connection; dispose it with the job. */
  watch(job: JobDescription, freshBytes: number): { readonly job: JobDescription } & Disposable {
    let askedBytes: number | undefined;
    let state: "sent" | "queued" | "receiving" | "other" = "sent";
    const answered = (bytes: number): void => {
      if (askedBytes === undefined && freshBytes > 0) this.#learnMissing(bytes / freshBytes);
      askedBytes ??= bytes;
    };
    const leave = (): void => {
      if (state === "queued") this.#queued--;
      if (state === "receiving") this.#endReceiving();
      state = "other";
    };
    return {
      job: {
        ...job,
        onUpload: (upload) => {
          answered(upload.sizeBytes);
          return job.onUpload?.(upload) ?? { [Symbol.dispose]: () => {} };
        },
        onQueued: (ahead) => {
          this.#ahead = { jobs: ahead, atMs: this.#clock.monotonicMs() };
          job.onQueued?.(ahead);
        },
        onPhase: (phase) => {
          if (phase !== "send") answered(0);
          if (phase === "blocked" && state === "sent") {
            state = "queued";
            this.#queued++;
          } else if (phase === "compile") leave();
          else if (phase === "receive" && state !== "receiving") {
            leave();
            state = "receiving";
            this.#beginReceiving();
          }
          job.onPhase?.(phase);
        },
      },
      [Symbol.dispose]: leave,
    };
  }

  #learnMissing(share: number): void {
    this.#missingShare += newest * (Math.min(1, share) - this.#missingShare);
  }

  #beginReceiving(): void {
    this.#receiving++;
    this.#receiveStart ??= { bytes: this.#receivedBytes(), atMs: this.#clock.monotonicMs() };
  }

  /** Results overlap: what is measured is the time in which there was at least one. */
  #endReceiving(): void {
    this.#receiving--;
    const start = this.#receiveStart;
    if (start === undefined) return;
    const bytes = this.#receivedBytes() - start.bytes;
    const ms = this.#clock.monotonicMs() - start.atMs;
    if (this.#receiving === 0) this.#receiveStart = undefined;
    if (bytes < minMeasuredBytes || ms < minMeasuredMs) return;
    const rate = (bytes / ms) * 1000;
    // A slow measurement may be a slow compiler between two results; a fast one is the link.
    const before = this.#downloadBytesPerSecond ?? rate;
    this.#downloadBytesPerSecond = Math.max(rate, before + newest * (rate - before));
    if (this.#receiving > 0)
      this.#receiveStart = { bytes: this.#receivedBytes(), atMs: this.#clock.monotonicMs() };
  }
}

/** Sizes of a job's files that the connection does not know, and of those that are on their way. */
export interface UnsentBytes {
  readonly freshBytes: number;
  readonly sendingBytes: number;
}

type FileEntry = Extract<InputEntry, { readonly kind: "file" }>;

/**
 * Which files of jobs a connection does not know. 200 jobs that wait ask four times a second, 500 files each: those
 * that had a name when a job asked before are not looked at again, because names are never taken back.
 */
export class UnsentFiles {
  readonly #isNamed: (digest: Digest) => boolean;
  readonly #uploads: Pick<Uploads, "isSending" | "sendingBytes">;
  readonly #unnamed = new WeakMap<readonly InputEntry[], readonly FileEntry[]>();

  constructor(isNamed: (digest: Digest) => boolean, uploads: Pick<Uploads, "isSending" | "sendingBytes">) {
    this.#isNamed = isNamed;
    this.#uploads = uploads;
  }

  /** `inputs`: the same list each time for the same job. */
  of(inputs: readonly InputEntry[]): UnsentBytes {
    const before: readonly InputEntry[] = this.#unnamed.get(inputs) ?? inputs;
    const unnamed = before.filter(
      (input): input is FileEntry => input.kind === "file" && !this.#isNamed(input.digest),
    );
    if (unnamed.length < before.length) this.#unnamed.set(inputs, unnamed);
    let freshBytes = 0;
    for (const { digest } of unnamed) if (!this.#isSending(digest)) freshBytes += sizeBytesOf(digest);
    let sendingBytes = 0;
    if (this.#uploads.sendingBytes > 0) {
      for (const input of inputs)
        if (input.kind === "file" && this.#isSending(input.digest)) sendingBytes += sizeBytesOf(input.digest);
    }
    return { freshBytes, sendingBytes };
  }

  #isSending(digest: Digest): boolean {
    return this.#uploads.isSending(digest);
  }
}
