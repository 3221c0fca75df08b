import { createReadStream } from "node:fs";
import type { Action, ActionResult, InputEntry } from "@homcc/cas/action";
import type { Digest } from "@homcc/cas/digest";
import { isLocaleKnown } from "@homcc/compiler/locales";
import { checkAction } from "@homcc/compiler/server-check";
import type { ExecutorSession } from "@homcc/execution/executor";
import { describeError, HomccError } from "@homcc/observability/error";
import type { JobMessage, RefusalReason, RefusedMessage } from "@homcc/protocol/messages";
import { toResultMessage } from "@homcc/protocol/result-message";
import { dataChunkBytes, type ServerChannel } from "@homcc/transport/channel";
import type { ServerServices } from "./client-session.ts";
import { serverLimits } from "./command-limits.ts";
import type { IncomingBlobs } from "./incoming-blobs.ts";
import type { UnsentResults } from "./unsent-results.ts";

/** A job message with its numbers resolved. */
export type ResolvedJob = Omit<JobMessage, "inputs"> & {
  readonly inputs: readonly InputEntry[];
  readonly absent: readonly string[];
};

/** Why this server does not run a job, in the words of the protocol. */
class Refusal extends Error {
  readonly refused: Omit<RefusedMessage, "kind">;

  constructor(refused: Omit<RefusedMessage, "kind">) {
    super(refused.message);
    this.refused = refused;
  }
}

/** One job: check, complete the inputs, wait for a slot, execute, send the result. */
export class Job {
  readonly #stream: number;
  readonly #message: ResolvedJob;
  readonly #channel: ServerChannel;
  readonly #executorSession: ExecutorSession;
  readonly #services: ServerServices;
  readonly #unsent: UnsentResults;
  readonly #incoming: IncomingBlobs;
  readonly #abort = new AbortController();

  constructor(
    stream: number,
    message: ResolvedJob,
    channel: ServerChannel,
    executorSession: ExecutorSession,
    services: ServerServices,
    unsent: UnsentResults,
    incoming: IncomingBlobs,
  ) {
    this.#stream = stream;
    this.#message = message;
    this.#channel = channel;
    this.#executorSession = executorSession;
    this.#services = services;
    this.#unsent = unsent;
    this.#incoming = incoming;
  }

  /** Ends the job wherever it is; its processes are killed. */
  cancel(reason: Error): void {
    this.#abort.abort(reason);
  }

  /** Never rejects: every end is a message to the client. */
  async run(): Promise<void> {
    try {
      await this.#attempt();
    } catch (error) {
      if (this.#abort.signal.aborted) {
        this.#channel.closeStream(this.#stream);
        return;
      }
      const refused = refusalOf(error);
      this.#services.logger.info(`${this.#message.label}: ${refused.reason}: ${refused.message}`);
      if (refused.reason === "executor-failed" && !(error instanceof HomccError)) {
        this.#services.logger.error(error instanceof Error ? (error.stack ?? error.message) : String(error));
      }
      this.#channel.send(this.#stream, { kind: "refused", ...refused }, { end: true });
    }
  }

  async #attempt(): Promise<void> {
    const { toolchain, environment, steps, label, inputs, outputs, cwd, sandbox } = this.#message;
    if (sandbox !== undefined) {
      throw new Refusal({ reason: "sandbox-unavailable", message: "this server has no sandboxes" });
    }
    const match = await this.#services.toolchains.match(toolchain, environment["PATH"] ?? "");
    if (match.kind === "differs") {
      throw new Refusal({
        reason: "toolchain-differs",
        message: match.message,
        identities: {
          client: { digest: toolchain.digest, version: toolchain.version },
          server: match.server,
        },
      });
    }
    const objection = checkAction(
      { steps, cwd, environment, outputs },
      toolchain.family,
      serverLimits(match.toolchain),
    );
    if (objection !== undefined) throw new Refusal({ reason: "refused", message: objection });

    const digests = inputs.flatMap((entry) => (entry.kind === "file" ? [entry.digest] : []));
    const pin = this.#services.store.pin(digests);
    try {
      await this.#completeInputs(digests);
      this.#channel.send(this.#stream, { kind: "queued", ahead: this.#services.slots.waiting });
      const result = await this.#execute();
      await using _result = result;
      using _unsent = this.#unsent.add(sizeBytesOf(result));
      await this.#sendResult(result);
      this.#services.logger.info(
        `${label}: ${result.termination.kind} after ${Math.round(result.usage.wallMs)} ms`,
      );
    } finally {
      pin.release();
    }
  }

  /** Takes from this machine what it has at the same path, and asks the client for what is not on its way. */
  async #completeInputs(digests: readonly Digest[]): Promise<void> {
    const { store, adoption } = this.#services;
    let missing = await store.findMissing(digests);
    if (missing.length === 0) return;
    const wanted = new Set(missing.filter((digest) => !this.#incoming.isUnderWay(digest)));
    const files = this.#message.inputs.flatMap((entry) =>
      entry.kind === "file" && wanted.has(entry.digest) ? [{ path: entry.path, digest: entry.digest }] : [],
    );
    await adoption.adopt(files);
    missing = await store.findMissing(missing);
    if (missing.length === 0) return;
    const ask = (lacking: readonly Digest[]): void =>
      this.#channel.send(this.#stream, { kind: "missing", digests: [...lacking] });
    await this.#incoming.receive(missing, ask, this.#abort.signal);
  }

  async #execute(): Promise<ActionResult> {
    const { signal } = this.#abort;
    using _slot = await this.#unsent.acquireSlot(this.#services.slots, signal);
    this.#channel.send(this.#stream, { kind: "started" });
    const { toolchain, steps, cwd, environment, umask, terminal, inputs, absent, outputs, timeoutMs } =
      this.#message;
    const action: Action = {
      toolchain: toolchain.digest,
      steps,
      cwd,
      environment,
      umask,
      terminal: definedOnly(terminal),
      inputs,
      absent,
      outputs,
      timeoutMs,
    };
    return await this.#executorSession.execute(action, signal);
  }

  async #sendResult(result: ActionResult): Promise<void> {
    const localeKnown = isLocaleKnown(this.#message.locale, this.#services.locales);
    this.#channel.send(
      this.#stream,
      toResultMessage(result, { executor: this.#services.executor, localeKnown }),
    );
    await this.#channel.sendData(this.#stream, resultBytes(result), { priority: "large", end: true });
  }
}

function sizeBytesOf({ stdout, stderr, outputs }: ActionResult): number {
  const texts = stdout.byteLength + stderr.byteLength;
  return outputs.reduce((sum, output) => sum + (output.kind === "written" ? output.sizeBytes : 0), texts);
}

async function* resultBytes(result: ActionResult): AsyncGenerator<Uint8Array, void, undefined> {
  yield result.stdout;
  yield result.stderr;
  for (const output of result.outputs) {
    if (output.kind === "written" && output.sizeBytes > 0)
      yield* createReadStream(output.file, { highWaterMark: dataChunkBytes });
  }
}

function definedOnly(terminal: JobMessage["terminal"]): Action["terminal"] {
  const { stdin, stdout, stderr } = terminal;
  return {
    ...(stdin === undefined ? {} : { stdin }),
    ...(stdout === undefined ? {} : { stdout }),
    ...(stderr === undefined ? {} : { stderr }),
  };
}

function refusalOf(error: unknown): Omit<RefusedMessage, "kind"> {
  if (error instanceof Refusal) return error.refused;
  return { reason: reasonOf(error), message: describeError(error) };
}

function reasonOf(error: unknown): RefusalReason {
  if (!(error instanceof HomccError)) return "executor-failed";
  switch (error.code) {
    case "ERR_HOMCC_REFUSED":
      return "refused";
    case "ERR_HOMCC_STORE_FULL":
      return "server-full";
    case "ERR_HOMCC_TOOLCHAIN":
      return "toolchain-differs";
    default:
      return "executor-failed";
  }
}
