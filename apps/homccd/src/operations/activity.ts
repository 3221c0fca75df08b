import type { Logger } from "@homcc/observability/log";
import type { RefusalReason } from "@homcc/protocol/messages";

/** What becomes of a job, for whoever reads the access log (docs/deployment.md). */
export const jobOutcomes = {
  compiled: "compiled here, whatever the compiler said",
  reused: "answered with what an earlier job made",
  refused: "not compiled here; `reason` is that of docs/protocol.md, `refused`",
  cancelled: "ended by the client",
  lost: "its connection ended",
  "sent-back":
    "no job yet: a homcc 2 that took this server for one of 1.x, and was told to greet it anew; its job follows on another connection",
} as const;

/** What became of a job, for the access log. Sizes in bytes, on the wire. */
export interface JobRecord {
  /** When it ended, in ISO 8601. */
  readonly time: string;
  /** The name that a client proved, else its address. */
  readonly client: string;
  /** Address and port of its connection. */
  readonly peer: string;
  /** The source, as the client names it. */
  readonly job: string;
  readonly outcome: keyof typeof jobOutcomes;
  /** Of what is `refused`. */
  readonly reason?: RefusalReason;
  /** How its compiler ended: `exited 0`, `signalled 9`. */
  readonly ended?: string;
  /** From its first message to its end. */
  readonly ms: number;
  /** Of that, the compiler. */
  readonly compileMs?: number;
  /** Of its own messages; files that it had uploaded are other messages, which may serve many jobs. */
  readonly receivedBytes: number;
  readonly sentBytes: number;
}

/** What is told of the present once a minute. */
export interface Presence {
  readonly clients: number;
  readonly connections: number;
  readonly running: number;
  readonly waiting: number;
  /** All that was received and sent so far. */
  readonly receivedBytes: number;
  readonly sentBytes: number;
  /** Of homccd itself, without compilers. */
  readonly memoryBytes: number;
  readonly availableBytes: number | undefined;
}

const everyMs = 60_000;

/** One that is sent back counts when it comes again. */
const noJobs: Readonly<Record<Exclude<JobRecord["outcome"], "sent-back">, number>> = {
  compiled: 0,
  reused: 0,
  refused: 0,
  cancelled: 0,
  lost: 0,
};

/** Counts jobs, and tells the log of them once a minute while there are any: an idle homccd says nothing. */
export class Activity {
  readonly #logger: Logger;
  readonly #presence: () => Presence;
  readonly #onJob: (record: JobRecord) => void;
  readonly #counts = { ...noJobs };
  #turnedAway = 0;
  #before = { receivedBytes: 0, sentBytes: 0 };
  #timer: NodeJS.Timeout | undefined;

  constructor(logger: Logger, presence: () => Presence, onJob: (record: JobRecord) => void) {
    this.#logger = logger;
    this.#presence = presence;
    this.#onJob = onJob;
  }

  /** A job has come. */
  begun(): void {
    this.#watch();
  }

  ended(record: JobRecord): void {
    this.#watch();
    if (record.outcome === "sent-back") this.#turnedAway += 1;
    else this.#counts[record.outcome] += 1;
    this.#onJob(record);
  }

  /** A connection was refused. */
  turnedAway(): void {
    this.#watch();
    this.#turnedAway += 1;
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #watch(): void {
    this.#timer ??= setInterval(() => this.tell(), everyMs);
  }

  /** What the timer does. */
  tell(): void {
    const present = this.#presence();
    const { compiled, reused, refused, cancelled, lost } = this.#counts;
    const jobs = compiled + reused + refused + cancelled + lost;
    const isIdle = jobs + this.#turnedAway + present.running + present.waiting === 0;
    if (isIdle) {
      this.close();
      return;
    }
    const received = present.receivedBytes - this.#before.receivedBytes;
    const sent = present.sentBytes - this.#before.sentBytes;
    this.#logger.info(
      `last minute: ${jobs} jobs (${reused} from earlier ones, ${refused} refused, ${cancelled + lost} given up), ` +
        `${this.#turnedAway} connections refused, ${mb(received)} in, ${mb(sent)} out; now ${present.clients} clients, ` +
        `${present.connections} connections, ${present.running} running, ${present.waiting} waiting, ` +
        `${mb(present.memoryBytes)} of memory${present.availableBytes === undefined ? "" : `, ${mb(present.availableBytes)} available`}`,
    );
    this.#before = { receivedBytes: present.receivedBytes, sentBytes: present.sentBytes };
    this.#turnedAway = 0;
    Object.assign(this.#counts, noJobs);
  }
}

function mb(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
