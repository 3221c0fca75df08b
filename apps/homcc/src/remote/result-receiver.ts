import { type Digest, digestOfLarge, sizeBytesOf } from "@homcc/cas/digest";
import { HomccError } from "@homcc/observability/error";
import { decodeDelta } from "@homcc/protocol/delta";
import type { ResultMessage } from "@homcc/protocol/messages";
import { release } from "@homcc/cas/release";
import { statfsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { dirname } from "node:path";
import type { OutputBase } from "./output-bases.ts";
import { OutputWriter } from "./output-writer.ts";
import { type ProducedOutput, writtenBy } from "./produced-output.ts";

/** An output that the job named. */
export interface ExpectedOutput {
  readonly path: string;
  /** What the server may tell it by. */
  readonly base?: OutputBase | undefined;
}

/** What a result was told by is not what it was when the job was sent: the result has to come whole. */
export class BaseChanged extends Error {
  constructor(base: OutputBase, cause?: unknown) {
    super(`${base.digest} is no longer what it was`, { cause });
  }
}

type WrittenOutput = Exclude<ResultMessage["outputs"][number], { readonly kind: "removed" }>;

interface WrittenFile {
  readonly path: string;
  readonly digest: Digest;
  readonly mode: number;
}

/** stdout and stderr are held in memory, those of all jobs at once; a compiler that prints more than this is not worth distributing. */
const maxMessagesBytes = 16 << 20;

/** Outputs of more bytes than this together have to find twice the room they say they take: nobody else's disk is filled for them. */
const largeBytes = 256 << 20;

/** One stretch of the bytes that follow a result message. */
interface Section {
  remainingBytes: number;
  write(bytes: Uint8Array): void | Promise<void>;
  finish(): void | Promise<void>;
}

/** Takes the bytes of a result: messages into memory, outputs into temporary files beside their places. */
export class ResultReceiver {
  readonly message: ResultMessage;
  readonly #stdout: Uint8Array[] = [];
  readonly #stderr: Uint8Array[] = [];
  readonly #writers: OutputWriter[] = [];
  readonly #removed: string[] = [];
  readonly #written: WrittenFile[] = [];
  readonly #sections: Section[];

  /** `expected`: the only files a server may write or remove, whatever it says. */
  constructor(message: ResultMessage, expected: readonly ExpectedOutput[]) {
    const unseen = new Set(expected.map(({ path }) => path));
    this.message = message;
    if (message.stdoutBytes + message.stderrBytes > maxMessagesBytes) {
      throw new HomccError(
        "ERR_HOMCC_PROTOCOL",
        `messages of ${message.stdoutBytes + message.stderrBytes} bytes`,
      );
    }
    this.#sections = [
      inMemory(message.stdoutBytes, this.#stdout),
      inMemory(message.stderrBytes, this.#stderr),
    ];
    for (const output of message.outputs) {
      const { path, base } = "path" in output ? { path: output.path } : expectedAt(expected, output.output);
      if (!unseen.delete(path)) {
        throw new HomccError("ERR_HOMCC_PROTOCOL", `the server sent ${path}, which is no output of the job`);
      }
      if (output.kind === "removed") this.#removed.push(path);
      else this.#sections.push(this.#section(output, path, base));
    }
    this.#checkRoom();
  }

  /** Files of the result whose digest is known, for `commit`'s caller. */
  get written(): readonly WrittenFile[] {
    return this.#written;
  }

  get produced(): readonly ProducedOutput[] {
    return [
      ...this.#writers.map((writer) => writtenBy(writer)),
      ...this.#removed.map((path) => ({ kind: "removed", path }) as const),
    ];
  }

  #section(output: WrittenOutput, path: string, base: OutputBase | undefined): Section {
    // A server gives no set-user-ID.
    const mode = output.mode & 0o777;
    const writer = new OutputWriter(path, mode);
    this.#writers.push(writer);
    const digest = output.kind === "unchanged" ? base?.digest : output.digest;
    if (digest !== undefined) this.#written.push({ path, digest, mode });
    if (output.kind === "written") {
      return {
        remainingBytes: output.sizeBytes,
        write: async (bytes) => {
          await writer.write(bytes);
          release(bytes);
        },
        finish: () => writer.finish(),
      };
    }
    if (base === undefined || digest === undefined) {
      throw new HomccError("ERR_HOMCC_PROTOCOL", `the server tells ${path} by a base that it was not given`);
    }
    const chunks: Uint8Array[] = [];
    return {
      ...inMemory(output.kind === "delta" ? output.deltaBytes : 0, chunks),
      finish: async () => {
        const delta = Buffer.concat(chunks);
        for (const chunk of chunks) release(chunk);
        const bytes = await restore(digest, base, delta);
        release(delta);
        await writer.write(bytes);
        release(bytes);
        await writer.finish();
      },
    };
  }

  #checkRoom(): void {
    const sizeBytes = this.#sections.reduce((sum, section) => sum + section.remainingBytes, 0);
    const [first] = this.#writers;
    if (sizeBytes <= largeBytes || first === undefined) return;
    const { bavail, bsize } = statfsSync(dirname(first.path));
    if (sizeBytes * 2 > bavail * bsize)
      throw new HomccError(
        "ERR_HOMCC_OUTPUT",
        `${first.path} and what comes with it take ${sizeBytes} bytes, too many for the disk`,
      );
  }

  get stdout(): Uint8Array {
    return Buffer.concat(this.#stdout);
  }

  get stderr(): Uint8Array {
    return Buffer.concat(this.#stderr);
  }

  async data(bytes: Uint8Array): Promise<void> {
    let rest = bytes;
    while (rest.byteLength > 0) {
      await this.#finishCompleted();
      const section = this.#sections[0];
      if (section === undefined)
        throw new HomccError("ERR_HOMCC_PROTOCOL", "more bytes than the result announced");
      const part = rest.subarray(0, section.remainingBytes);
      section.remainingBytes -= part.byteLength;
      rest = rest.subarray(part.byteLength);
      await section.write(part);
    }
  }

  /** The stream ended: everything announced must have arrived. */
  async end(): Promise<void> {
    await this.#finishCompleted();
    if (this.#sections.length > 0) throw new HomccError("ERR_HOMCC_PROTOCOL", "the result ends early");
  }

  /** Puts the outputs in place, the removals first: what the compiler wrote afterwards stays. */
  async commit(): Promise<void> {
    for (const path of this.#removed) await remove(path);
    for (const writer of this.#writers) await writer.commit();
  }

  async discard(): Promise<void> {
    await Promise.all(this.#writers.map((writer) => writer.discard()));
  }

  async #finishCompleted(): Promise<void> {
    while (this.#sections[0]?.remainingBytes === 0) await this.#sections.shift()?.finish();
  }
}

function expectedAt(expected: readonly ExpectedOutput[], index: number): ExpectedOutput {
  const output = expected[index];
  if (output === undefined) throw new HomccError("ERR_HOMCC_PROTOCOL", `the job has no output ${index}`);
  return output;
}

/** The bytes of `digest`. Without a delta they are the base's own. Throws `BaseChanged` when they come out as others. */
async function restore(digest: Digest, base: OutputBase, delta: Uint8Array): Promise<Uint8Array> {
  const baseBytes = await base.read();
  const bytes =
    delta.byteLength === 0
      ? baseBytes
      : await decodeDelta(delta, baseBytes, sizeBytesOf(digest)).catch((cause: unknown) => {
          throw new BaseChanged(base, cause);
        });
  if (bytes !== baseBytes) release(baseBytes);
  if ((await digestOfLarge(bytes)) !== digest) throw new BaseChanged(base);
  return bytes;
}

async function remove(path: string): Promise<void> {
  try {
    await rm(path, { force: true });
  } catch (cause) {
    throw new HomccError("ERR_HOMCC_OUTPUT", `cannot remove ${path}`, { cause });
  }
}

function inMemory(sizeBytes: number, chunks: Uint8Array[]): Section {
  return {
    remainingBytes: sizeBytes,
    write: (bytes) => {
      chunks.push(bytes);
    },
    finish: () => {},
  };
}
