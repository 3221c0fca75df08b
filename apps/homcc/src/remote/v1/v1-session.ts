import type { Action, InputEntry } from "@homcc/cas/action";
import { runProgram } from "@homcc/compiler/run-program";
import type { TargetTriples } from "@homcc/compiler/target-triples";
import type { V1Command } from "@homcc/compiler/v1-command";
import type { Clock } from "@homcc/observability/clock";
import { HomccError } from "@homcc/observability/error";
import { bytesOfText } from "@homcc/protocol/v1/surrogate-escape";
import type { HostId } from "@homcc/scheduler/host";
import type { V1Connection } from "@homcc/transport/v1-connection";
import { writtenBy } from "../produced-output.ts";
import { RefusedByServer } from "../refusal.ts";
import type { ServerDescription } from "../server-status.ts";
import type { JobDescription, Outlook, RemoteResult, ServerWay, Session } from "../session.ts";
import type { FileSums } from "./file-sums.ts";
import { isSystemFile, NoServerOf1x, type V1Result, V1Run } from "./v1-run.ts";

export interface V1SessionOptions {
  readonly hostId: HostId;
  readonly connect: (
    signal: AbortSignal,
    onBytes?: (receivedBytes?: number) => void,
  ) => Promise<V1Connection>;
  /** Called when the server is gone, or (`wasV1` false) has never said a word of 1.x. */
  readonly onLost: (session: V1Session, reason: unknown, wasV1: boolean) => void;
  /** The server is none of 1.x, by its own word. The job's caller dials anew. */
  readonly onMistaken: (session: V1Session) => void;
  /** Held while a job runs. */
  readonly way?: ServerWay;
  readonly clock: Clock;
  readonly sums: FileSums;
  readonly targets: TargetTriples;
}

type SuitableCommand = Extract<V1Command, { kind: "suitable" }>;

/** Then the server is greeted anew: one of ours that took its place speaks 1.x too, and would never be noticed. */
export const lifetimeMs = 300_000;

const dependencyRunLimitMs = 300_000;

/**
 * A server of homcc 1.x: a connection for each job, and none in between, since it would count against the server's
 * limit. Its compiler is known by name and target alone, so that what fails there is compiled again at home.
 */
export class V1Session implements Session {
  readonly hostId: HostId;
  readonly #options: V1SessionOptions;
  readonly #closing = new AbortController();
  readonly #startedMs: number;
  #isRetired = false;
  #wasHeard = false;

  constructor(options: V1SessionOptions) {
    this.hostId = options.hostId;
    this.#startedMs = options.clock.monotonicMs();
    this.#options = options;
  }

  get description(): ServerDescription {
    return { version: "homcc 1.x", executors: ["mapped"], serverSlots: undefined, roundTripMs: undefined };
  }

  get takesJobs(): boolean {
    const ageMs = this.#options.clock.monotonicMs() - this.#startedMs;
    return !this.#isRetired && !this.#closing.signal.aborted && ageMs < lifetimeMs;
  }

  /** Nothing is known of it, so that jobs go there as they always did. */
  outlook(): Outlook {
    return {
      isNear: false,
      uploadBytesPerSecond: undefined,
      downloadBytesPerSecond: undefined,
      roundTripMs: undefined,
      likelyRoundTripMs: undefined,
      slots: undefined,
      missingBytes: 0,
      aheadBytes: 0,
      jobsAhead: 0,
    };
  }

  retire(): void {
    this.#isRetired = true;
  }

  doubtAfterSleep(): void {
    // The next job connects anew.
  }

  believe(): void {
    // Nothing was doubted.
  }

  giveUp(): void {
    // No connection outlives its job.
  }

  lose(): void {
    // Nor is one doubted.
  }

  close(reason: string): void {
    this.#closing.abort(new HomccError("ERR_HOMCC_CONNECTION_LOST", reason));
  }

  async run(action: Action, job: JobDescription, signal: AbortSignal): Promise<RemoteResult> {
    const command = job.forV1();
    if (command.kind === "unsuitable") throw unsuitable(command.why);
    const why = whyNotFor1x(action);
    if (why !== undefined) throw unsuitable(why);
    const ended = AbortSignal.any([signal, this.#closing.signal]);
    using _way = this.#options.way?.use();
    const startedMs = performance.now();
    const dependencies = this.#writeDependencies(command, action, ended);
    const result = await unlessFailed(this.#converse(command, action, job, ended), dependencies);
    return this.#remoteResult(result, job, performance.now() - startedMs);
  }

  async #converse(
    command: SuitableCommand,
    action: Action,
    job: JobDescription,
    signal: AbortSignal,
  ): Promise<V1Result> {
    let run: V1Run | undefined;
    try {
      const target = await this.#options.targets.of(job.toolchain);
      job.onPhase?.("connect");
      using connection = await this.#options.connect(signal, job.onProgress);
      using _end = endWith(signal, connection);
      run = new V1Run(connection, action, command, job.compression ?? "no_compression", this.#options.sums);
      if (job.onSent !== undefined) setImmediate(job.onSent);
      const result = await run.run(target, signal, job.onPhase);
      this.#wasHeard = true;
      return result;
    } catch (error) {
      this.#wasHeard ||= run?.heard === true;
      if (error instanceof NoServerOf1x) {
        this.retire();
        this.#options.onMistaken(this);
      }
      const isLost = !signal.aborted && error instanceof HomccError && lostCodes.has(error.code);
      if (isLost) this.#options.onLost(this, error, this.#wasHeard);
      throw error;
    }
  }

  /** While the server compiles: it gives no dependency files. */
  async #writeDependencies(command: SuitableCommand, action: Action, signal: AbortSignal): Promise<void> {
    if (command.dependencyRun === undefined) return;
    const [step] = action.steps;
    const { status } = await runProgram(step?.program ?? "", {
      args: command.dependencyRun,
      ...(step?.argv[0] === undefined ? {} : { argv0: step.argv[0] }),
      cwd: action.cwd,
      environment: action.environment,
      timeLimitMs: dependencyRunLimitMs,
      signal,
    });
    if (status !== 0) throw unsuitable("the dependency file cannot be made at home");
  }

  #remoteResult(
    { message, writers, sentBytes, receivedBytes }: V1Result,
    job: JobDescription,
    compileMs: number,
  ): RemoteResult {
    return {
      termination: { kind: "exited", status: message.return_code & 0xff },
      stdout: bytesOfText(message.stdout),
      stderr: bytesOfText(message.stderr),
      undeclared: [],
      unlisted: [],
      executor: "mapped",
      localeKnown: areOurMessages(message.stderr, job.locale),
      sandboxToolchain: undefined,
      reuse: undefined,
      written: [],
      produced: writers.map((writer) => writtenBy(writer)),
      cost: { host: this.hostId, executor: "homcc 1.x", compileMs, sentBytes, receivedBytes, uploadMs: 0 },
      commit: async () => {
        for (const writer of writers) await writer.commit();
      },
      discard: async () => {
        await Promise.all(writers.map((writer) => writer.discard()));
      },
    };
  }
}

const lostCodes: ReadonlySet<string> = new Set([
  "ERR_HOMCC_UNAVAILABLE",
  "ERR_HOMCC_CONNECT_TIMEOUT",
  "ERR_HOMCC_CONNECTION_LOST",
  "ERR_HOMCC_PROTOCOL",
]);

/** A server that does not read any more would keep the job in the middle of a message. */
function endWith(signal: AbortSignal, connection: V1Connection): Disposable {
  const end = (): void => connection[Symbol.dispose]();
  if (signal.aborted) end();
  else signal.addEventListener("abort", end, { once: true });
  return { [Symbol.dispose]: () => signal.removeEventListener("abort", end) };
}

function unsuitable(why: string): RefusedByServer {
  return new RefusedByServer({ reason: "mapped-unsupported", message: why });
}

/** Variables that change what is compiled; 1.x sends none. */
const decisiveVariables =
  /^(CPATH|C_INCLUDE_PATH|CPLUS_INCLUDE_PATH|OBJC(PLUS)?_INCLUDE_PATH|SOURCE_DATE_EPOCH)$/;

function whyNotFor1x({ inputs, environment }: Action): string | undefined {
  const variable = Object.keys(environment).find((name) => decisiveVariables.test(name));
  if (variable !== undefined) return `homcc 1.x does not send the variable ${variable}`;
  const blank = inputs.find(({ kind, path }) => kind === "file" && /\s/.test(path));
  if (blank !== undefined) return `names with blanks break in homcc 1.x: ${blank.path}`;
  const link = inputs.find((entry) => entry.kind === "symlink" && !isSystemLink(entry));
  return link === undefined ? undefined : `homcc 1.x knows no links: ${link.path}`;
}

/** 1.x sends no locale along: its servers answer in their own one, which is English nearly everywhere, in UTF-8 or ASCII. */
function areOurMessages(stderr: string, locale: string | undefined): boolean {
  return locale === undefined ? !/[^\n -~\t\r]/.test(stderr) : /^(?:en_|en\b|C\.)/.test(locale);
}

/** On the way to the compiler, or among the system's files. */
function isSystemLink({ path }: InputEntry): boolean {
  return isSystemFile(path) || /^\/(bin|lib\w*|usr\/bin|usr\/lib\w*|usr\/local\/bin)(\/|$)/.test(path);
}

/** When the second one fails, the first one's outputs are not left behind. */
async function unlessFailed(result: Promise<V1Result>, other: Promise<void>): Promise<V1Result> {
  const [ran, also] = await Promise.allSettled([result, other]);
  if (ran.status === "rejected") throw ran.reason;
  if (also.status === "fulfilled") return ran.value;
  await Promise.all(ran.value.writers.map((writer) => writer.discard()));
  throw also.reason;
}
