import { createReadStream } from "node:fs";
import type { Action, ActionResult, InputEntry } from "@homcc/cas/action";
import type { Digest } from "@homcc/cas/digest";
import { checkAction } from "@homcc/compiler/server-check";
import type { ExecutorSession } from "@homcc/execution/executor";
import { LostInput } from "@homcc/execution/lost-input";
import { systemClock } from "@homcc/observability/clock";
import { HomccError } from "@homcc/observability/error";
import { unlessAborted } from "@homcc/observability/unless-aborted";
import type { Packed } from "@homcc/protocol/compression";
import type { JobMessage } from "@homcc/protocol/messages";
import { toResultMessage } from "@homcc/protocol/result-message";
import type { ServerChannel } from "@homcc/transport/channel";
import { dataChunkBytes } from "@homcc/transport/data-sender";
import { type ClientIdentity, identityKeyOf, identityText } from "@homcc/transport/client-identity";
import type { ServerServices } from "./client-session.ts";
import type { Begin, ExecutionShare } from "./executions.ts";
import type { IncomingBlobs } from "./incoming-blobs.ts";
import { JobInputs } from "./job-inputs.ts";
import { type JobPlace, ownPlace, type PlacedResult, sandboxPlace } from "./job-place.ts";
import { Refusal, refusalOf, shuttingDown } from "./job-refusal.ts";
import { type CodedOutputs, plainOutputs } from "./output-coding.ts";
import type { JobRecord } from "./operations/activity.ts";
import type { OutputFiles } from "./output-files.ts";
import type { Possession, ProofMessage } from "./possession.ts";
import type { ClientSandboxes } from "./sandboxes/client-sandboxes.ts";
import type { RunHere } from "./name-proofs.ts";
import type { Reuse, ReuseReport } from "./result-reuse.ts";
import type { SentOutputs } from "./sent-outputs.ts";
import type { ToolchainIntake } from "./toolchains/toolchain-intake.ts";
import type { UnsentResults } from "./unsent-results.ts";

/** A job message with its numbers resolved. */
export type ResolvedJob = Omit<JobMessage, "inputs"> & {
  readonly inputs: readonly InputEntry[];
  readonly absent: readonly string[];
};

/** A store that loses what it was just given is none. */
const maxExecutions = 3;

/** To be disposed of: then nobody needs its files any more. */
interface Executed extends PlacedResult, AsyncDisposable {
  readonly share: ExecutionShare;
}

/** One job: check, complete the inputs, wait for a slot, execute, send the result. */
export class Job {
  readonly #stream: number;
  readonly #message: ResolvedJob;
  readonly #channel: ServerChannel;
  readonly #executorSession: ExecutorSession;
  readonly #sandboxes: ClientSandboxes;
  readonly #services: ServerServices;
  readonly #unsent: UnsentResults;
  readonly #inputs: JobInputs;
  readonly #possession: Possession;
  readonly #sent: SentOutputs;
  readonly #identity: ClientIdentity;
  readonly #intake: ToolchainIntake | undefined;
  readonly #abort = new AbortController();
  #share: ExecutionShare | undefined;
  /** For the access log. */
  #end: Pick<JobRecord, "outcome" | "reason" | "ended" | "compileMs"> = { outcome: "cancelled" };
  #isLost = false;
  /** Its result is there and being sent. */
  #isDelivering = false;
  #grace: NodeJS.Timeout | undefined;

  constructor(
    stream: number,
    message: ResolvedJob,
    channel: ServerChannel,
    executorSession: ExecutorSession,
    sandboxes: ClientSandboxes,
    services: ServerServices,
    unsent: UnsentResults,
    incoming: IncomingBlobs,
    possession: Possession,
    sent: SentOutputs,
    intake: ToolchainIntake | undefined,
    identity: ClientIdentity,
  ) {
    this.#identity = identity;
    this.#stream = stream;
    this.#message = message;
    this.#channel = channel;
    this.#executorSession = executorSession;
    this.#sandboxes = sandboxes;
    this.#services = services;
    this.#unsent = unsent;
    this.#possession = possession;
    this.#sent = sent;
    this.#intake = intake;
    const { store, adoption, logger } = services;
    this.#inputs = new JobInputs({
      label: message.label,
      store,
      adoption,
      logger,
      incoming,
      possession,
      signal: this.#abort.signal,
      send: (asked) => channel.send(stream, asked),
    });
  }

  /** Ends the job wherever it is; its processes are killed. */
  cancel(reason: Error): void {
    this.#abort.abort(reason);
    this.#inputs.giveUp(reason);
  }

  /** The server ends: what has begun goes on, anything else is refused. */
  turnAway(): void {
    if (this.#isLost) this.cancel(new Error("homccd is ending"));
    else if (this.#share?.hasBegun !== true && !this.#isDelivering) this.cancel(new Refusal(shuttingDown));
  }

  /**
   * The connection is gone and may be back: what is compiled, or compiled and not received, stays for the grace, in which
   * the client can take part in it again (`Executions`). Anything else ends.
   */
  lose(reason: Error): void {
    if (this.#isLost) return;
    if (this.#share?.hasBegun !== true || this.#abort.signal.aborted) {
      this.cancel(reason);
      return;
    }
    this.#isLost = true;
    this.#inputs.giveUp(reason);
    this.#grace = setTimeout(() => this.cancel(reason), this.#services.lostClientGraceMs);
  }

  /** The client's answer to `prove`; one that nobody waits for is ignored. */
  answer(proof: ProofMessage): void {
    this.#inputs.answer(proof);
  }

  /** Never rejects: every end is a message to the client. */
  async run(): Promise<void> {
    const startedMs = systemClock.monotonicMs();
    const bytes = this.#channel.bytesOf(this.#stream);
    this.#services.activity.begun();
    await this.#run();
    this.#services.activity.ended({
      time: new Date(systemClock.wallMs()).toISOString(),
      client: identityText(this.#identity),
      peer: this.#channel.peer,
      job: this.#message.label,
      ...this.#end,
      ms: Math.round(systemClock.monotonicMs() - startedMs),
      receivedBytes: bytes.received,
      sentBytes: bytes.sent,
    });
  }

  async #run(): Promise<void> {
    try {
      await this.#attempt();
    } catch (error) {
      const { aborted, reason } = this.#abort.signal;
      if (aborted && !(reason instanceof Refusal)) {
        this.#end = { outcome: this.#channel.isLost ? "lost" : "cancelled" };
        this.#channel.closeStream(this.#stream);
        return;
      }
      const refused = refusalOf(aborted ? reason : error);
      this.#end = { outcome: "refused", reason: refused.reason };
      this.#services.logger.info(`${this.#message.label}: ${refused.reason}: ${refused.message}`);
      if (!aborted && refused.reason === "executor-failed" && !(error instanceof HomccError)) {
        this.#services.logger.error(error instanceof Error ? (error.stack ?? error.message) : String(error));
      }
      this.#channel.send(this.#stream, { kind: "refused", ...refused }, { end: true });
    } finally {
      clearTimeout(this.#grace);
    }
  }

  async #attempt(): Promise<void> {
    const { toolchain, label, outputs, cwd } = this.#message;
    const place = await this.#place();
    using _toolchain = place.toolchain;
    const { steps, environment, inputs } = place;
    const objection = checkAction({ steps, cwd, environment, outputs }, toolchain.family, place.limits);
    if (objection !== undefined) throw new Refusal({ reason: "refused", message: objection });

    const digests = inputs.flatMap((entry) => (entry.kind === "file" ? [entry.digest] : []));
    const bases = this.#channel.usesDeltas
      ? outputs.flatMap(({ base }) => (base === undefined ? [] : [base]))
      : [];
    const pin = this.#services.store.pin([...digests, ...bases]);
    try {
      const { basesProven } = await this.#inputs.complete(inputs, digests, bases);
      this.#channel.send(this.#stream, { kind: "queued", ahead: this.#unsent.ahead(this.#services.slots) });
      const action = this.#actionIn(place);
      const { executions, executor } = this.#services;
      await using _running = executions.hold(this.#executorSession, action, executor);
      const reuse = await this.#reuse(action, place);
      if (reuse?.kind === "found") {
        this.#isDelivering = true;
        this.#end = { outcome: "reused" };
        await using result = reuse.result;
        using files = this.#services.outputs.open();
        await basesProven;
        await this.#sendResult(result, files, { ...reuse.report, reuse: reuse.reuse });
        this.#services.logger.info(`${label}: from an earlier job after ${result.usage.wallMs} ms`);
        return;
      }
      await using executed = await this.#execute(action, place, digests);
      const { share, result, report } = executed;
      this.#end = {
        outcome: "compiled",
        ended: Object.values(result.termination).join(" "),
        compileMs: Math.round(result.usage.wallMs),
      };
      using files = this.#services.outputs.open();
      await this.#deliver(basesProven, async () => {
        const reuseReport = await reuse?.made.report(result, files);
        await this.#sendResult(
          result,
          files,
          reuseReport === undefined ? report : { ...report, reuse: reuseReport },
        );
      });
      this.#services.logger.info(
        `${label}: ${result.termination.kind} after ${Math.round(result.usage.wallMs)} ms`,
      );
      if (share.claimKeeping()) await reuse?.made.keep(result, files);
      if (this.#isLost) await unlessAborted(share.fetched, this.#abort.signal);
      else share.delivered();
    } finally {
      pin.release();
    }
  }

  async #place(): Promise<JobPlace> {
    const { sandbox } = this.#message;
    return sandbox === undefined
      ? await ownPlace(this.#message, this.#executorSession, this.#services, this.#intake)
      : await sandboxPlace(this.#message, sandbox, this.#sandboxes, this.#services);
  }

  async #reuse(action: Action, place: JobPlace): Promise<PlacedReuse | undefined> {
    const { keptReport } = place;
    if (keptReport === undefined) return undefined;
    const reuse = await this.#services.results.find(action, {
      name: keptReport.executor,
      family: this.#message.toolchain.family,
      client: identityKeyOf(this.#identity),
      ...(keptReport.executor === "namespace" ? { run: runIn(place) } : {}),
    });
    return reuse?.kind === "found" ? { ...reuse, report: keptReport } : reuse;
  }

  /** The slot is the execution's, and so are the inputs: it may outlive this job. */
  #joinExecution(action: Action, place: JobPlace, digests: readonly Digest[]): ExecutionShare {
    const { store, slots, executions, executor } = this.#services;
    const begin: Begin = async (signal, begun) => {
      const pin = store.pin(digests);
      try {
        using _slot = await this.#unsent.acquireSlot(slots, signal);
        begun();
        this.#services.logger.debug(`${this.#message.label}: the compiler starts`);
        return await place.execute(action, signal);
      } finally {
        pin.release();
      }
    };
    const share = executions.join(this.#executorSession, action, executor, begin);
    this.#share = share;
    share.onBegun(() => this.#channel.send(this.#stream, { kind: "started" }));
    return share;
  }

  /** What of the store turns out to be damaged only when it is laid out is asked for again: a disk has lost it, not the client. */
  async #execute(action: Action, place: JobPlace, digests: readonly Digest[]): Promise<Executed> {
    for (let attempt = 1; ; attempt += 1) {
      const share = this.#joinExecution(action, place, digests);
      try {
        const { result, report } = await share.result(this.#abort.signal);
        return { share, result, report, [Symbol.asyncDispose]: () => share[Symbol.asyncDispose]() };
      } catch (error) {
        await share[Symbol.asyncDispose]();
        if (!(error instanceof LostInput) || attempt === maxExecutions) throw error;
        this.#services.logger.warning(`${this.#message.label}: ${error.message}; it is asked for again`);
        await this.#inputs.complete(place.inputs, digests, []);
      }
    }
  }

  /** A client that is gone is none to deliver to; whatever else goes wrong is this job's end. */
  async #deliver(basesProven: Promise<unknown>, send: () => Promise<void>): Promise<void> {
    try {
      if (this.#isLost) return;
      await basesProven;
      await send();
    } catch (error) {
      if (!this.#isLost) throw error;
    }
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

  async #sendResult(result: ActionResult, files: OutputFiles, report: SentReport): Promise<void> {
    using _unsent = this.#unsent.add(sizeBytesOf(result));
    const outputs = this.#channel.usesDeltas
      ? await this.#services.outputs.code(result.outputs, this.#message.outputs, {
          possession: this.#possession,
          sent: this.#sent,
          takesPacked: this.#channel.takesPacked,
          isHurried: this.#channel.isFast,
          files,
        })
      : plainOutputs(result.outputs);
    const message = toResultMessage(result, outputs.messages, report);
    const isAll = result.stdout.byteLength + result.stderr.byteLength + outputs.contents.length === 0;
    this.#channel.send(this.#stream, message, { end: isAll });
    if (isAll) return;
    const bytes = resultBytes(result, outputs);
    const isCopied = await this.#channel.sendData(this.#stream, bytes, { priority: "large", end: true });
    if (isCopied) await files.release();
  }
}

type PlacedReuse =
  | (Extract<Reuse, { kind: "found" }> & Pick<PlacedResult, "report">)
  | Extract<Reuse, { kind: "missed" }>;
type SentReport = PlacedResult["report"] & { readonly reuse?: ReuseReport };

function runIn(place: JobPlace): RunHere {
  return async (action, signal) => (await place.execute(action, signal)).result;
}

function sizeBytesOf({ stdout, stderr, outputs }: ActionResult): number {
  const texts = stdout.byteLength + stderr.byteLength;
  return outputs.reduce((sum, output) => sum + (output.kind === "written" ? output.sizeBytes : 0), texts);
}

async function* resultBytes(
  { stdout, stderr }: ActionResult,
  { contents }: CodedOutputs,
): AsyncGenerator<Uint8Array | Packed, void, undefined> {
  yield stdout;
  yield stderr;
  for (const content of contents) {
    if ("file" in content) yield* createReadStream(content.file, { highWaterMark: dataChunkBytes });
    else if (content instanceof Uint8Array) yield content;
    else yield* content;
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
