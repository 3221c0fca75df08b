import { HomccError } from "@homcc/observability/error";

/**
 * The runner's control channel, this side of it; the grammar is at the top of native/runner.c.
 * Every frame is `u32 length` and its body, numbers are little-endian, strings carry their NUL.
 */
export interface RunnerJob {
  /** Holds `upper/` and `work/` already; the runner writes `stdout` and `stderr` there. Relative to the session folder. */
  readonly folder: string;
  /** Value of the overlay's `lowerdir`, newest layer first; "" for the plain runner. */
  readonly layers: string;
  /** Paths in the job's root that are removed before it starts; those that do not exist are no error. */
  readonly absent: readonly string[];
  readonly cwd: string;
  readonly umask: number;
  readonly terminals: { readonly stdin: boolean; readonly stdout: boolean; readonly stderr: boolean };
  readonly columns: number;
  readonly rows: number;
  readonly terminalOutputLimitBytes: number;
  readonly limits: readonly { readonly resource: number; readonly value: bigint }[];
  /** Of all processes together. */
  readonly bounds: JobBounds;
  /** What a job without a root of its own may read and run besides its folder, with all that lies below; what does not exist is no error. */
  readonly readable: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly steps: readonly { readonly program: string; readonly argv: readonly string[] }[];
}

/** What a whole job may take, not each of its processes; 0 is no limit. The runner looks ten times a second. */
export interface JobBounds {
  readonly memoryBytes: number;
  readonly processes: number;
  readonly writtenBytes: number;
  /** With less room in its file system than this, a job that wrote much is over. */
  readonly minFreeBytes: number;
}

export const noBounds: JobBounds = { memoryBytes: 0, processes: 0, writtenBytes: 0, minFreeBytes: 0 };

export type RunnerReply =
  /** `pid` in the namespace in which the runner was started. */
  | { readonly kind: "ready"; readonly pid: number }
  | ({ readonly kind: "done"; readonly id: number } & RunnerOutcome);

export type RunnerOutcome = { readonly cpuMs: number; readonly maxRssKiB: number } & (
  | { readonly outcome: "ended"; readonly waitStatus: number }
  | { readonly outcome: "failed"; readonly errno: number; readonly call: string }
  /** By a cancel message, or by the kernel when memory ran out. */
  | { readonly outcome: "killed" }
  /** By the runner, since it took too much of `limit`. */
  | { readonly outcome: "limited"; readonly limit: string }
);

/** The runner's own bound; a longer frame ends it. */
export const maxRunnerFrameBytes: number = 16 << 20;
const maxReplyBytes = 4096;
const maxSteps = 64;

export function encodeRun(id: number, job: RunnerJob): Buffer {
  if (job.steps.length === 0 || job.steps.length > maxSteps) {
    throw new HomccError("ERR_HOMCC_REFUSED", `an action of ${job.steps.length} steps`, {
      hint: `1 to ${maxSteps}`,
    });
  }
  const { stdin, stdout, stderr } = job.terminals;
  const writer = new FrameWriter("R");
  writer.u32(id);
  writer.string(job.folder);
  writer.string(job.layers);
  writer.list(job.absent);
  writer.string(job.cwd);
  writer.u32(job.umask);
  writer.u8((stdin ? 1 : 0) | (stdout ? 2 : 0) | (stderr ? 4 : 0));
  writer.u16(job.columns);
  writer.u16(job.rows);
  writer.u64(BigInt(job.terminalOutputLimitBytes));
  writer.u32(job.limits.length);
  for (const { resource, value } of job.limits) {
    writer.u32(resource);
    writer.u64(value);
  }
  const { memoryBytes, processes, writtenBytes, minFreeBytes } = job.bounds;
  for (const bound of [memoryBytes, processes, writtenBytes, minFreeBytes]) writer.u64(BigInt(bound));
  writer.list(job.readable);
  writer.list(Object.entries(job.environment).map(([name, value]) => `${name}=${value}`));
  writer.u32(job.steps.length);
  for (const { program, argv } of job.steps) {
    writer.string(program);
    writer.list(argv);
  }
  return writer.finish();
}

export function encodeCancel(id: number): Buffer {
  const writer = new FrameWriter("C");
  writer.u32(id);
  return writer.finish();
}

/** Takes the runner's bytes as they come and gives whole replies. */
export class RunnerReplyDecoder {
  #rest: Buffer = Buffer.alloc(0);

  push(chunk: Uint8Array): RunnerReply[] {
    const bytes = this.#rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#rest, chunk]);
    const replies: RunnerReply[] = [];
    let at = 0;
    while (bytes.length - at >= 4) {
      const length = bytes.readUInt32LE(at);
      if (length === 0 || length > maxReplyBytes) throw new Error(`runner reply of ${length} bytes`);
      if (bytes.length - at - 4 < length) break;
      replies.push(decodeReply(bytes.subarray(at + 4, at + 4 + length)));
      at += 4 + length;
    }
    this.#rest = bytes.subarray(at);
    return replies;
  }
}

function decodeReply(body: Buffer): RunnerReply {
  const type = String.fromCharCode(body.readUInt8(0));
  if (type === "S") return { kind: "ready", pid: body.readUInt32LE(1) };
  if (type !== "D") throw new Error(`runner reply of unknown type ${type}`);
  const value = body.readUInt32LE(9);
  const usage = { cpuMs: Number(body.readBigUInt64LE(13)) / 1000, maxRssKiB: body.readUInt32LE(21) };
  const call = body.toString("utf8", 29, 29 + body.readUInt32LE(25) - 1);
  return {
    kind: "done",
    id: body.readUInt32LE(1),
    ...usage,
    ...outcomeOf(body.readUInt32LE(5), value, call),
  };
}

function outcomeOf(outcome: number, value: number, call: string) {
  if (outcome === 0) return { outcome: "ended", waitStatus: value } as const;
  if (outcome === 1) return { outcome: "failed", errno: value, call } as const;
  if (outcome === 2) return { outcome: "killed" } as const;
  if (outcome === 3) return { outcome: "limited", limit: call } as const;
  throw new Error(`runner reply with unknown outcome ${outcome}`);
}

/** Grows by doubling; a job's message is usually 2 to 6 kB. */
class FrameWriter {
  #buffer = Buffer.allocUnsafe(8192);
  #length = 4;

  constructor(type: string) {
    this.u8(type.charCodeAt(0));
  }

  u8(value: number): void {
    this.#room(1);
    this.#length = this.#buffer.writeUInt8(value, this.#length);
  }

  u16(value: number): void {
    this.#room(2);
    this.#length = this.#buffer.writeUInt16LE(Math.min(value, 0xffff), this.#length);
  }

  u32(value: number): void {
    this.#room(4);
    this.#length = this.#buffer.writeUInt32LE(value, this.#length);
  }

  u64(value: bigint): void {
    this.#room(8);
    this.#length = this.#buffer.writeBigUInt64LE(value, this.#length);
  }

  string(text: string): void {
    if (text.includes("\0")) throw new HomccError("ERR_HOMCC_REFUSED", `a NUL in ${JSON.stringify(text)}`);
    const sizeBytes = Buffer.byteLength(text);
    this.u32(sizeBytes + 1);
    this.#room(sizeBytes + 1);
    this.#length += this.#buffer.write(text, this.#length);
    this.u8(0);
  }

  list(texts: readonly string[]): void {
    this.u32(texts.length);
    for (const text of texts) this.string(text);
  }

  finish(): Buffer {
    this.#buffer.writeUInt32LE(this.#length - 4, 0);
    return this.#buffer.subarray(0, this.#length);
  }

  #room(bytes: number): void {
    if (this.#length + bytes > maxRunnerFrameBytes) {
      throw new HomccError("ERR_HOMCC_REFUSED", "the action is too large for the job runner", {
        hint: `arguments, environment and absent paths may have ${maxRunnerFrameBytes} bytes together`,
      });
    }
    if (this.#length + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(2 * this.#buffer.length, this.#length + bytes));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}
