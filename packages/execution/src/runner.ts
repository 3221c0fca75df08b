import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { getSystemErrorMessage } from "node:util";
import { HomccError, describeError } from "@homcc/observability/error";
import {
  encodeCancel,
  encodeRun,
  type RunnerJob,
  type RunnerOutcome,
  RunnerReplyDecoder,
} from "./runner-codec.ts";

/** What became of a job that could be started and was not cancelled. */
export type RunnerResult = Exclude<RunnerOutcome, { readonly outcome: "failed" }>;

type RunnerProcess = ChildProcessByStdio<Writable, Readable, Readable>;

interface PendingJob {
  readonly settle: (outcome: RunnerOutcome) => void;
  readonly reject: (error: unknown) => void;
}

/** A living runner and what it owes us. */
interface Connection {
  readonly process: RunnerProcess;
  readonly pending: Map<number, PendingJob>;
  /** With its process number. */
  readonly ready: Promise<number>;
  readonly ended: Promise<void>;
}

/** What an executor needs of a runner. */
export type JobRunning = Pick<JobRunner, "run" | "close">;

/**
 * Runs jobs through one `dist/runner` process, started at the first job and again after it died: what was running then
 * rejects with ERR_HOMCC_EXECUTOR, later jobs are not affected. Up to hundreds of jobs at once.
 */
export class JobRunner {
  readonly #program: string;
  readonly #args: readonly string[];
  readonly #environment: Readonly<Record<string, string>>;
  #connection: Connection | undefined;
  #nextId = 1;
  #closed = false;
  #hasDied = false;

  /** `args` as described at the top of native/runner.c; where another program starts it, `environment` is that one's. */
  constructor(program: string, args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
    this.#program = program;
    this.#args = args;
    this.#environment = environment;
  }

  /**
   * Aborting `signal` kills all processes of the job; the promise then rejects with the signal's reason, as soon as
   * they are gone.
   */
  async run(job: RunnerJob, signal: AbortSignal): Promise<RunnerResult> {
    signal.throwIfAborted();
    const connection = this.#connect();
    await connection.ready;
    signal.throwIfAborted();
    const id = this.#nextId;
    this.#nextId = (id % 0xffffffff) + 1;
    const frame = encodeRun(id, job);
    const cancel = () => connection.process.stdin.write(encodeCancel(id));
    const outcome = await new Promise<RunnerOutcome>((settle, reject) => {
      if (!this.#isAlive(connection)) return reject(runnerDied("it is gone"));
      connection.pending.set(id, { settle, reject });
      connection.process.stdin.write(frame);
      signal.addEventListener("abort", cancel, { once: true });
    }).finally(() => signal.removeEventListener("abort", cancel));
    signal.throwIfAborted();
    if (outcome.outcome === "failed") throw new JobNotStarted(outcome.call, outcome.errno);
    return outcome;
  }

  /** Starts it where it does not run. Its number among the processes where it was started; /proc/PID/root has what it sees. */
  async pid(): Promise<number> {
    return await this.#connect().ready;
  }

  /** True once a runner of it ended that nobody had closed. */
  get hasDied(): boolean {
    return this.#hasDied;
  }

  /** Kills what is running and resolves when the runner is gone. */
  async close(): Promise<void> {
    this.#closed = true;
    const connection = this.#connection;
    if (connection === undefined) return;
    connection.process.stdin.end();
    await connection.ended;
  }

  #connect(): Connection {
    if (this.#closed) throw new HomccError("ERR_HOMCC_EXECUTOR", "the session is closed");
    this.#connection ??= this.#start();
    return this.#connection;
  }

  #isAlive(connection: Connection): boolean {
    return this.#connection === connection;
  }

  #start(): Connection {
    const child: RunnerProcess = spawn(this.#program, [...this.#args], {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...this.#environment },
      cwd: "/",
    });
    const pending = new Map<number, PendingJob>();
    const decoder = new RunnerReplyDecoder();
    const ready = Promise.withResolvers<number>();
    const ended = Promise.withResolvers<void>();
    let complaint = "";
    const connection: Connection = { process: child, pending, ready: ready.promise, ended: ended.promise };
    ready.promise.catch(() => {}); // whoever runs a job awaits it too
    child.stdin.on("error", () => {}); // a runner that died is noticed by "close"
    child.stderr.setEncoding("utf8");
    child.stderr.on("data", (text: string) => (complaint = (complaint + text).slice(-4096)));
    child.stdout.on("data", (chunk: Buffer) => {
      try {
        for (const reply of decoder.push(chunk)) {
          if (reply.kind === "ready") ready.resolve(reply.pid);
          else takePending(pending, reply.id)?.settle(reply);
        }
      } catch (error) {
        complaint = describeError(error);
        child.kill("SIGKILL");
      }
    });
    const end = (reason: string) => {
      this.#hasDied ||= !this.#closed;
      if (this.#connection === connection) this.#connection = undefined;
      const error = runnerDied(complaint.trim() || reason);
      ready.reject(error);
      for (const job of pending.values()) job.reject(error);
      pending.clear();
      ended.resolve();
    };
    child.on("error", (error) => end(error.message));
    child.on("close", (status, signal) => end(signal === null ? `exit status ${status}` : signal));
    // Half of it may die (its pid 1 lives below another process): without this the other half would be waited for.
    child.on("exit", () => child.stdin.destroy());
    return connection;
  }
}

function takePending(pending: Map<number, PendingJob>, id: number): PendingJob | undefined {
  const job = pending.get(id);
  pending.delete(id);
  return job;
}

function runnerDied(reason: string): HomccError {
  return new HomccError("ERR_HOMCC_EXECUTOR", `the job runner ended: ${reason}`);
}

const ENOSPC = 28;
const EDQUOT = 122;

/** A call on the way to the job's first program failed, or starting that program did. */
export class JobNotStarted extends HomccError {
  /** The failing call, or the program's path. */
  readonly call: string;
  readonly errno: number;

  constructor(call: string, errno: number) {
    const full = errno === ENOSPC || errno === EDQUOT;
    super(
      full ? "ERR_HOMCC_STORE_FULL" : "ERR_HOMCC_EXECUTOR",
      `the job could not be started: ${call}: ${getSystemErrorMessage(-errno)}`,
    );
    this.call = call;
    this.errno = errno;
  }
}
