import { createReadStream } from "node:fs";
import type { Action, ActionResult, InputEntry } from "@homcc/cas/action";
import type { Digest } from "@homcc/cas/digest";
import { checkAction } from "@homcc/compiler/server-check";
import type { ExecutorSession } from "@homcc/execution/executor";
import { HomccError } from "@homcc/observability/error";
import type { JobMessage } from "@homcc/protocol/messages";
import { toResultMessage } from "@homcc/protocol/result-message";
import { dataChunkBytes, type ServerChannel } from "@homcc/transport/channel";
import type { ServerServices } from "./client-session.ts";
import type { IncomingBlobs } from "./incoming-blobs.ts";
import { type JobPlace, ownPlace, type PlacedResult, sandboxPlace } from "./job-place.ts";
import { Refusal, refusalOf } from "./job-refusal.ts";
import { type CodedOutputs, plainOutputs } from "./output-coding.ts";
import type { ClientSandboxes } from "./sandboxes/client-sandboxes.ts";
import type { Reuse, ReuseReport } from "./result-reuse.ts";
import type { UnsentResults } from "./unsent-results.ts";

/** A job message with its numbers resolved. */
export type ResolvedJob = Omit<JobMessage, "inputs"> & {
  readonly inputs: readonly InputEntry[];
  readonly absent: readonly string[];
};

/** One job: check, complete the inputs, wait for a slot, execute, send the result. */
export class Job {
  readonly #stream: number;
  readonly #message: ResolvedJob;
  readonly #channel: ServerChannel;
  readonly #executorSession: ExecutorSession;
  readonly #sandboxes: ClientSandboxes;
  readonly #services: ServerServices;
  readonly #unsent: UnsentResults;
  readonly #incoming: IncomingBlobs;
  readonly #abort = new AbortController();

  constructor(
    stream: number,
    message: ResolvedJob,
    channel: ServerChannel,
    executorSession: ExecutorSession,
    sandboxes: ClientSandboxes,
    services: ServerServices,
    unsent: UnsentResults,
    incoming: IncomingBlobs,
  ) {
    this.#stream = stream;
    this.#message = message;
    this.#channel = channel;
    this.#executorSession = executorSession;
    this.#sandboxes = sandboxes;
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
    const { toolchain, label, outputs, cwd } = this.#message;
    const place = await this.#place();
    const { steps, environment, inputs } = place;
    const objection = checkAction({ steps, cwd, environment, outputs }, toolchain.family, place.limits);
    if (objection !== undefined) throw new Refusal({ reason: "refused", message: objection });

    const digests = inputs.flatMap((entry) => (entry.kind === "file" ? [entry.digest] : []));
    const pin = this.#services.store.pin(digests);
    try {
      await this.#completeInputs(inputs, digests);
      this.#channel.send(this.#stream, { kind: "queued", ahead: this.#services.slots.waiting });
      const action = this.#actionIn(place);
      const reuse = await this.#reuse(action, place);
      const { result, report } = reuse?.kind === "found" ? reuse : await this.#execute(action, place);
      await using _result = result;
      const reuseReport = reuse?.kind === "missed" ? await reuse.made.report(result) : reuse?.reuse;
      {
        using _unsent = this.#unsent.add(sizeBytesOf(result));
        await this.#sendResult(
          result,
          reuseReport === undefined ? report : { ...report, reuse: reuseReport },
        );
      }
      const how = reuse?.kind === "found" ? "from an earlier job" : result.termination.kind;
      this.#services.logger.info(`${label}: ${how} after ${Math.round(result.usage.wallMs)} ms`);
      if (reuse?.kind === "missed") await reuse.made.keep(result);
    } finally {
      pin.release();
    }
  }

  /** Takes from this machine what it has at the same path, and asks the client for what is not on its way. */
  async #completeInputs(inputs: readonly InputEntry[], digests: readonly Digest[]): Promise<void> {
    const { store, adoption } = this.#services;
    let missing = await store.findMissing(digests);
    if (missing.length === 0) return;
    const wanted = new Set(missing.filter((digest) => !this.#incoming.isUnderWay(digest)));
    const files = inputs.flatMap((entry) =>
      entry.kind === "file" && wanted.has(entry.digest) ? [{ path: entry.path, digest: entry.digest }] : [],
    );
    await adoption.adopt(files);
    missing = await store.findMissing(missing);
    if (missing.length === 0) return;
    const ask = (lacking: readonly Digest[]): void =>
      this.#channel.send(this.#stream, { kind: "missing", digests: [...lacking] });
    await this.#incoming.receive(missing, ask, this.#abort.signal);
  }

  async #place(): Promise<JobPlace> {
    const { sandbox } = this.#message;
    return sandbox === undefined
      ? await ownPlace(this.#message, this.#executorSession, this.#services)
      : await sandboxPlace(this.#message, sandbox, this.#sandboxes, this.#services);
  }

  async #reuse(action: Action, { keptReport }: JobPlace): Promise<PlacedReuse | undefined> {
    if (keptReport === undefined) return undefined;
    const reuse = await this.#services.results.find(action, keptReport.executor);
    return reuse?.kind === "found" ? { ...reuse, report: keptReport } : reuse;
  }

  async #execute(action: Action, place: JobPlace): Promise<PlacedResult> {
    const { signal } = this.#abort;
    using _slot = await this.#unsent.acquireSlot(this.#services.slots, signal);
    this.#channel.send(this.#stream, { kind: "started" });
    return await place.execute(action, signal);
  }

  #actionIn({ steps, environment, inputs, absent }: JobPlace): Action {
    const { toolchain, cwd, umask, terminal, outputs, timeoutMs, sandbox } = this.#message;
    return {
      toolchain: toolchain.digest,
      steps,
      cwd,
      environment,
      umask,
      terminal: definedOnly(terminal),
      inputs,
      absent,
      // What a client has at home makes no other action.
      outputs: outputs.map(({ path, exists, mode }) => ({ path, exists, mode })),
      timeoutMs,
      sandbox,
    };
  }

  async #sendResult(result: ActionResult, report: SentReport): Promise<void> {
    const outputs = this.#channel.usesDeltas
      ? await this.#services.outputs.code(result.outputs, this.#message.outputs, this.#channel.isFast)
      : plainOutputs(result.outputs);
    const message = toResultMessage(result, outputs.messages, report);
    const isAll = result.stdout.byteLength + result.stderr.byteLength + outputs.contents.length === 0;
    this.#channel.send(this.#stream, message, { end: isAll });
    if (isAll) return;
    const bytes = resultBytes(result, outputs);
    await this.#channel.sendData(this.#stream, bytes, { priority: "large", end: true });
  }
}

type PlacedReuse =
  | (Extract<Reuse, { kind: "found" }> & Pick<PlacedResult, "report">)
  | Extract<Reuse, { kind: "missed" }>;
type SentReport = PlacedResult["report"] & { readonly reuse?: ReuseReport };

function sizeBytesOf({ stdout, stderr, outputs }: ActionResult): number {
  const texts = stdout.byteLength + stderr.byteLength;
  return outputs.reduce((sum, output) => sum + (output.kind === "written" ? output.sizeBytes : 0), texts);
}

async function* resultBytes(
  { stdout, stderr }: ActionResult,
  { contents }: CodedOutputs,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield stdout;
  yield stderr;
  for (const content of contents) {
    if ("file" in content) yield* createReadStream(content.file, { highWaterMark: dataChunkBytes });
    else yield content;
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
