import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { ActionResult, OutputChange } from "@homcc/cas/action";
import type { BlobStore, Pin } from "@homcc/cas/blob-store";
import { type Digest, digestOf } from "@homcc/cas/digest";
import type { DigestIndex } from "@homcc/cas/digest-index";
import { deadlineAfter } from "@homcc/observability/deadline";
import { version } from "@homcc/config/version";
import { describeError, hasCode, HomccError } from "@homcc/observability/error";
import type { Logger } from "@homcc/observability/log";
import { readV1Message } from "@homcc/protocol/v1/codec";
import { maxTextLength } from "@homcc/protocol/limits";
import type { RefusalReason, RefusedMessage } from "@homcc/protocol/messages";
import { printable } from "@homcc/protocol/printable";
import {
  maxV1PayloadBytes,
  type V1ArgumentMessage,
  type V1Compression,
  v1RetryElsewhere,
} from "@homcc/protocol/v1/messages";
import { packV1, unpackV1 } from "@homcc/protocol/v1/payload";
import { textOfBytes } from "@homcc/protocol/v1/surrogate-escape";
import type { Slot, SlotQueue } from "@homcc/scheduler/slots";
import { V1Connection } from "@homcc/transport/v1-connection";
import type { AcceptedConnection } from "@homcc/transport/accept";
import { identityKeyOf, identityText } from "@homcc/transport/client-identity";
import { refusalOf } from "../job-refusal.ts";
import type { Activity, JobRecord } from "../operations/activity.ts";
import type { ClientAccounts } from "../operations/client-accounts.ts";
import type { CallPlace, CallPlaces } from "./call-place.ts";
import { type CallPlan, inputsOf, planCall } from "./call-plan.ts";
import type { V1Sessions } from "./executor-sessions.ts";

/** What all homcc 1.x clients share. */
export interface V1Services {
  readonly store: BlobStore;
  readonly slots: SlotQueue;
  readonly accounts: ClientAccounts;
  readonly activity: Pick<Activity, "begun" | "ended">;
  readonly places: CallPlaces;
  /** Which blob a client's SHA-1 stands for, by `keyOf`: a SHA-1 that another client sent gives nobody what is behind it. */
  readonly sha1: DigestIndex;
  readonly logger: Logger;
}

type ReadyPlan = Extract<CallPlan, { kind: "ready" }>;

export interface V1TimeLimits {
  /** A 1.x client gives up after this. */
  readonly conversationMs: number;
  /** So much later its connection is cut, and its slot is free: it may not read its answer, or never cease to talk. */
  readonly farewellMs: number;
  /** One that sends less than `minStallBytes` in this time while it is waited for, or takes nothing of its answer, has stalled. */
  readonly stallMs: number;
}

const defaultTimeLimits: V1TimeLimits = { conversationMs: 240_000, farewellMs: 10_000, stallMs: 20_000 };

/** 200 bytes a second. */
const minStallBytes = 4096;

/** Of a source file, compressed or not. */
const maxSourceBytes = 64 << 20;
const maxReplyJsonBytes = 64 << 10;
const maxLoggedCommand = 200;

/**
 * Serves one homcc 1.x client: its connection is one job. What it gets is what it got from 1.x without the mistakes:
 * outputs in any folder and of any name, messages that name files as a local compiler does. Every fault of ours is a
 * result with `return_code` 75, on which alone a 1.x client compiles locally.
 */
export async function serveV1Client(
  accepted: Extract<AcceptedConnection, { kind: "v1" }>,
  services: V1Services,
  timeLimits: V1TimeLimits = defaultTimeLimits,
): Promise<void> {
  const { conversationMs, farewellMs, stallMs } = timeLimits;
  const { socket, rest, identity } = accepted;
  const peer = `${socket.remoteAddress ?? ""}:${socket.remotePort}`;
  const limits = { maxJsonBytes: maxReplyJsonBytes, maxPayloadBytes: maxSourceBytes };
  using connection = new V1Connection(socket, { peer, initialBytes: rest, ...limits });
  const { accounts, activity } = services;
  const whyNot = accounts.whyNoConnection(identity);
  using _opened = accounts.open(identity);
  const startedMs = performance.now();
  let end: V1End = { outcome: "refused", reason: "limited" };
  activity.begun();
  using deadline = deadlineAfter(conversationMs, connection.signal);
  using _cut = cutAfter(conversationMs + farewellMs, connection);
  try {
    const call = new V1Call(
      connection,
      identityKeyOf(identity),
      services,
      deadline.signal,
      conversationMs,
      stallMs,
    );
    if (whyNot === undefined) end = await call.run(accepted.argumentMessage);
    else await call.refuse(whyNot);
  } catch (error) {
    end = connection.signal.aborted ? { outcome: "lost" } : { outcome: "refused", reason: reasonOf(error) };
    services.logger.info(`${peer}: homcc 1.x: ${asLine(describeError(error))}`);
    if (!(error instanceof HomccError)) {
      services.logger.error(error instanceof Error ? (error.stack ?? error.message) : String(error));
    }
    await connection.send(retryElsewhere(describeError(error))).catch(() => {});
  }
  activity.ended({
    time: new Date().toISOString(),
    client: identityText(identity),
    peer,
    job: asLine(sourceIn(accepted.argumentMessage["args"]), maxLoggedCommand),
    ...end,
    ms: Math.round(performance.now() - startedMs),
    receivedBytes: socket.bytesRead,
    sentBytes: socket.bytesWritten,
  });
  connection.finish();
  await closed(connection.signal);
}

type V1End = Pick<JobRecord, "outcome" | "reason" | "ended">;

/** As the access log has it for everybody. */
function reasonOf(error: unknown): RefusalReason {
  return hasCode(error, "ERR_HOMCC_PROTOCOL") ? "bad-job" : refusalOf(error).reason;
}

/** Why another server should be asked. */
type Elsewhere = Pick<RefusedMessage, "reason" | "message">;

/** The word of a command that is a source by its name, as far as one is. */
function sourceIn(args: unknown): string {
  const words = Array.isArray(args) ? args.filter((word) => typeof word === "string") : [];
  return words.find((word) => /\.(?:[cCis]|cc|cpp|cxx|c\+\+|ii|S|m|mm)$/.test(word)) ?? "";
}

function cutAfter(limitMs: number, connection: V1Connection): Disposable {
  const timer = setTimeout(() => connection[Symbol.dispose](), limitMs);
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}

/** A client's words in the log, where they are to look like nothing else. */
function asLine(text: string, maxLength = maxTextLength): string {
  return printable(text, maxLength).replaceAll(/[\n\t]/g, " ");
}

/** Why the client should compile elsewhere is only shown at its DEBUG level. */
function retryElsewhere(why: string): Parameters<V1Connection["send"]>[0] {
  return {
    message_type: "CompilationResultMessage",
    files: [],
    stdout: "",
    stderr: why,
    return_code: v1RetryElsewhere,
    compression: "no_compression",
    dwarf_files: [],
  };
}

class V1Call {
  readonly #connection: V1Connection;
  readonly #client: string;
  readonly #services: V1Services;
  readonly #signal: AbortSignal;
  readonly #timeoutMs: number;
  readonly #stallMs: number;

  constructor(
    connection: V1Connection,
    client: string,
    services: V1Services,
    signal: AbortSignal,
    timeoutMs: number,
    stallMs: number,
  ) {
    this.#stallMs = stallMs;
    this.#connection = connection;
    this.#client = client;
    this.#services = services;
    this.#signal = signal;
    this.#timeoutMs = timeoutMs;
  }

  async run(json: Readonly<Record<string, unknown>>): Promise<V1End> {
    const { slots, logger } = this.#services;
    // Its hello's connection ended before our welcome, as one of 1.x ends it. In this format its compiler is a name, and it
    // would get objects of whatever has that name here.
    if (json["agent"] !== undefined) {
      await this.refuse("homcc 2 is not served in the format of 1.x", `homccd ${version}`);
      return { outcome: "sent-back" };
    }
    using slot = slots.tryAcquire();
    if (slot === undefined) return await this.#sendElsewhere(reached(slots.limit));
    const message = readV1Message(json);
    if (message.message_type !== "ArgumentMessage")
      throw new HomccError("ERR_HOMCC_PROTOCOL", `a conversation that begins with ${message.message_type}`);
    const place = await this.#place(message);
    if ("reason" in place) return await this.#sendElsewhere(place);
    const plan = await planCall(message, place.compiler, { ...place, timeoutMs: this.#timeoutMs });
    if (plan.kind === "unsuitable") throw new HomccError("ERR_HOMCC_REFUSED", plan.why);
    const startedMs = performance.now();
    const status = await this.#compile(plan, place.sessions, message.compression ?? "no_compression", slot);
    logger.info(
      `${asLine(message.args.join(" "), maxLoggedCommand)}: homcc 1.x: status ${status} after ${Math.round(performance.now() - startedMs)} ms`,
    );
    return { outcome: "compiled", ended: `exited ${status}` };
  }

  /** It then asks the next server; told our name, it greets us anew. */
  async refuse(info: string, server?: string): Promise<void> {
    await this.#connection.send({
      message_type: "ConnectionRefusedMessage",
      info,
      ...(server === undefined ? {} : { server }),
    });
  }

  async #sendElsewhere({ reason, message }: Elsewhere): Promise<V1End> {
    await this.refuse(message);
    return { outcome: "refused", reason };
  }

  /** Ends the connection of a client that stalls until what this returns is disposed of: others wait for its slot, and for its memory. */
  #watchStall(): Disposable {
    let before = this.#connection.movedBytes;
    const timer = setInterval(() => {
      const { movedBytes } = this.#connection;
      if (movedBytes - before < minStallBytes) this.#connection[Symbol.dispose]();
      before = movedBytes;
    }, this.#stallMs);
    return { [Symbol.dispose]: () => clearInterval(timer) };
  }

  async #place(message: V1ArgumentMessage): Promise<CallPlace | Elsewhere> {
    try {
      return await this.#services.places.placeFor(message);
    } catch (error) {
      const isRefusal = hasCode(error, "ERR_HOMCC_TOOLCHAIN") || hasCode(error, "ERR_HOMCC_SANDBOX");
      if (isRefusal) return { reason: reasonOf(error), message: describeError(error) };
      throw error;
    }
  }

  async #compile(
    plan: ReadyPlan,
    sessions: V1Sessions,
    compression: V1Compression,
    slot: Slot,
  ): Promise<number> {
    const pins: Pin[] = [];
    try {
      const files = await this.#completeInputs(plan, pins);
      await using session = await sessions.use(this.#client);
      const absent = session.seenPaths.absentFor(files);
      for (const path of files.keys()) session.seenPaths.add(path);
      await using results = new AsyncDisposableStack();
      const ran: ActionResult[] = [];
      for (const { action, places } of plan.compilations) {
        const inputs = inputsOf(files, places);
        const result = await session.executorSession.execute({ ...action, inputs, absent }, this.#signal);
        ran.push(results.use(result));
        if (statusOf(result) !== 0) break;
      }
      // Whether the client reads its answer is no matter of others.
      slot.release();
      return await this.#answer(plan, ran, compression);
    } finally {
      for (const pin of pins) pin.release();
    }
  }

  /** Asks for one file after the other, as 1.x does. What is here stays here until the pins are released. */
  async #completeInputs(plan: ReadyPlan, pins: Pin[]): Promise<Map<string, Digest>> {
    const { store, sha1 } = this.#services;
    const digests = new Map<string, Digest>();
    for (const wanted of new Set(plan.files.values())) {
      const known = sha1.get(this.#keyOf(wanted));
      if (known !== undefined) {
        pins.push(store.pin([known]));
        if ((await store.findMissing([known])).length === 0) {
          digests.set(wanted, known);
          continue;
        }
      }
      digests.set(wanted, await this.#fetch(wanted, pins));
    }
    const files = new Map<string, Digest>();
    for (const [path, wanted] of plan.files) {
      const digest = digests.get(wanted);
      if (digest !== undefined) files.set(path, digest);
    }
    return files;
  }

  async #fetch(sha1sum: string, pins: Pin[]): Promise<Digest> {
    const { store, sha1 } = this.#services;
    using _watch = this.#watchStall();
    await this.#connection.send({ message_type: "DependencyRequestMessage", sha1sum });
    const { message, payloads } = await this.#connection.receive(this.#signal);
    if (message.message_type !== "DependencyReplyMessage")
      throw new HomccError("ERR_HOMCC_PROTOCOL", `${message.message_type} where a file was asked for`);
    const bytes = await unpackV1(message.compression, payloads[0] ?? new Uint8Array(), maxSourceBytes);
    const found = createHash("sha1").update(bytes).digest("hex");
    if (found !== sha1sum) throw new HomccError("ERR_HOMCC_DIGEST_MISMATCH", `${sha1sum} came as ${found}`);
    const digest = digestOf(bytes);
    pins.push(store.pin([digest]));
    await store.put(digest, [bytes], this.#client);
    sha1.add(this.#keyOf(sha1sum), digest);
    return digest;
  }

  /** 1.x knows no proof: a file counts as had when this client sent it, on whatever connection. */
  #keyOf(sha1sum: string): string {
    return createHash("sha256").update(`${this.#client}\0${sha1sum}`).digest("hex");
  }

  async #answer(
    plan: ReadyPlan,
    results: readonly ActionResult[],
    compression: V1Compression,
  ): Promise<number> {
    const unfinished = results.find(({ termination }) => termination.kind !== "exited");
    if (unfinished !== undefined)
      throw new HomccError(
        "ERR_HOMCC_EXECUTOR",
        `the compiler ended by ${JSON.stringify(unfinished.termination)}`,
      );
    const status = results.map(statusOf).find((code) => code !== 0) ?? 0;
    const written = status === 0 ? results.flatMap(({ outputs }) => outputs).filter(isWritten) : [];
    const dwarf = written.filter(({ path }) => path.endsWith(".dwo"));
    const main = new Set(plan.compilations.map(({ mainOutput }) => mainOutput));
    const files = written.filter(({ path }) => !path.endsWith(".dwo") && (!plan.links || main.has(path)));
    const outputs = [...files, ...dwarf];
    const outputBytes = outputs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    if (outputBytes > maxV1PayloadBytes)
      throw new HomccError("ERR_HOMCC_EXECUTOR", `outputs of ${outputBytes} bytes, which would be in memory`);
    const payloads: Uint8Array[] = [];
    for (const { file } of outputs) {
      this.#signal.throwIfAborted();
      payloads.push(await packV1(compression, await readFile(file)));
    }
    const named = ({ path }: WrittenOutput, index: number): { filename: string; size: number } => ({
      filename: path,
      size: payloads[index]?.byteLength ?? 0,
    });
    using _watch = this.#watchStall();
    await this.#connection.send(
      {
        message_type: "CompilationResultMessage",
        files: files.map(named),
        stdout: results.map(({ stdout }) => textOfBytes(stdout)).join(""),
        stderr: results.map(({ stderr }) => textOfBytes(stderr)).join(""),
        return_code: status,
        compression,
        dwarf_files: dwarf.map((output, index) => named(output, files.length + index)),
      },
      payloads,
    );
    return status;
  }
}

type WrittenOutput = Extract<OutputChange, { kind: "written" }>;

function isWritten(output: OutputChange): output is WrittenOutput {
  return output.kind === "written";
}

function reached(limit: number): Elsewhere {
  return { reason: "limited", message: `Limit ${limit} reached` };
}

function statusOf({ termination }: ActionResult): number {
  return termination.kind === "exited" ? termination.status : v1RetryElsewhere;
}

function closed(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
