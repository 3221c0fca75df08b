import { HomccError } from "@homcc/observability/error";
import type { ResultMessage } from "@homcc/protocol/messages";
import { rm } from "node:fs/promises";
import { OutputWriter } from "./output-writer.ts";

/** stdout and stderr are held in memory; a compiler that prints more than this is not worth distributing. */
const maxMessagesBytes = 64 << 20;

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
  readonly #sections: Section[];

  /** `declared`: the only paths a server may write or remove, whatever it says. */
  constructor(message: ResultMessage, declared: ReadonlySet<string>) {
    const unseen = new Set(declared);
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
      if (!unseen.delete(output.path)) {
        throw new HomccError(
          "ERR_HOMCC_PROTOCOL",
          `the server sent ${output.path}, which is no output of the job`,
        );
      }
      if (output.kind === "removed") {
        this.#removed.push(output.path);
        continue;
      }
      const writer = new OutputWriter(output.path, output.mode & 0o777);
      this.#writers.push(writer);
      this.#sections.push({
        remainingBytes: output.sizeBytes,
        write: (bytes) => writer.write(bytes),
        finish: () => writer.finish(),
      });
    }
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
