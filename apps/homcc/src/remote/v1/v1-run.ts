import { basename } from "node:path";
import type { Action, InputEntry } from "@homcc/cas/action";
import type { V1Command } from "@homcc/compiler/v1-command";
import { version } from "@homcc/config/version";
import { HomccError } from "@homcc/observability/error";
import type { V1Frame } from "@homcc/protocol/v1/codec";
import {
  type V1ArgumentMessage,
  type V1Compression,
  type V1ResultMessage,
  v1RetryElsewhere,
} from "@homcc/protocol/v1/messages";
import { packV1, unpackV1 } from "@homcc/protocol/v1/payload";
import { SlotQueue } from "@homcc/scheduler/slots";
import type { V1Connection } from "@homcc/transport/v1-connection";
import type { JobPhase } from "../../records/state-layout.ts";
import { OutputWriter } from "../output-writer.ts";
import { RefusedByServer } from "../refusal.ts";
import { type FileSums, readUnchanged } from "./file-sums.ts";

type SuitableCommand = Extract<V1Command, { kind: "suitable" }>;
type FileEntry = Extract<InputEntry, { kind: "file" }>;

/** What a result may hold, packed and unpacked: it is in memory as a whole, and such a one is not worth distributing. */
export const maxOutputBytes = 128 << 20;

/** Of one result each: unpacked files are in memory as a whole, and an .xz may say little and be much. */
const unpacking = new SlotQueue(1);

/** Files that a 1.x server has of its own; below /etc and /usr/share a compiler looks up the distribution and messages. */
const systemFolders = ["/usr/include/", "/usr/lib/", "/usr/share/", "/etc/"];

/** One of ours, whose end of the hello's connection was taken for that of 1.x: it compiles nothing in this format. */
export class NoServerOf1x extends RefusedByServer {
  constructor(server: string) {
    super({ reason: "shutting-down", message: `${server} was taken for a server of homcc 1.x` });
  }
}

export interface V1Result {
  readonly message: V1ResultMessage;
  /** Complete under their temporary names. */
  readonly writers: readonly OutputWriter[];
  readonly sentBytes: number;
  readonly receivedBytes: number;
}

/** One conversation with a 1.x server: the command, each file it asks for, and what came of it. */
export class V1Run {
  readonly #connection: V1Connection;
  readonly #action: Action;
  readonly #command: SuitableCommand;
  readonly #compression: V1Compression;
  readonly #sums: FileSums;
  readonly #files = new Map<string, FileEntry>();
  #sentBytes = 0;
  #receivedBytes = 0;
  #heard = false;

  constructor(
    connection: V1Connection,
    action: Action,
    command: SuitableCommand,
    compression: V1Compression,
    sums: FileSums,
  ) {
    this.#connection = connection;
    this.#action = action;
    this.#command = command;
    this.#compression = compression;
    this.#sums = sums;
  }

  /** The server has said something: it is one of 1.x. */
  get heard(): boolean {
    return this.#heard;
  }

  /** Rejects with `RefusedByServer`, or as `OutputWriter` and `V1Connection` do; then no output is left. */
  async run(target: string, signal: AbortSignal, enter?: (phase: JobPhase) => void): Promise<V1Result> {
    enter?.("send");
    await this.#connection.send(await this.#argumentMessage(target));
    for (;;) {
      // It does not say when it begins: as soon as it has all that it asks for.
      enter?.("compile");
      const frame = await this.#connection.receive(signal);
      this.#heard = true;
      this.#receivedBytes += frame.payloads.reduce((sum, { byteLength }) => sum + byteLength, 0);
      const { message } = frame;
      switch (message.message_type) {
        case "DependencyRequestMessage":
          enter?.("send");
          await this.#reply(message.sha1sum);
          break;
        case "CompilationResultMessage":
          enter?.("receive");
          return await this.#take(message, frame);
        case "ConnectionRefusedMessage":
          if (message.server !== undefined) throw new NoServerOf1x(message.server);
          throw new RefusedByServer({
            reason: /^Limit \d+ reached$/.test(message.info) ? "limited" : "refused",
            message: message.info,
          });
        default:
          throw new HomccError("ERR_HOMCC_PROTOCOL", `${message.message_type} from a server`);
      }
    }
  }

  async #argumentMessage(target: string): Promise<V1ArgumentMessage> {
    const dependencies: Record<string, string> = {};
    for (const entry of this.#action.inputs) {
      if (entry.kind !== "file" || isSystemFile(entry.path)) continue;
      const sum = await this.#sums.of(entry.digest, entry.path);
      dependencies[entry.path] = sum;
      this.#files.set(sum, entry);
    }
    const { cwd, sandbox } = this.#action;
    return {
      message_type: "ArgumentMessage",
      args: [...this.#command.args],
      cwd,
      dependencies,
      ...(target === "" ? {} : { target }),
      ...(sandbox?.kind === "schroot" ? { schroot_profile: sandbox.profile } : {}),
      ...(sandbox?.kind === "docker" ? { docker_container: sandbox.container } : {}),
      ...(this.#compression === "no_compression" ? {} : { compression: this.#compression }),
      agent: `homcc ${version}`,
    };
  }

  async #reply(sha1sum: string): Promise<void> {
    const entry = this.#files.get(sha1sum);
    if (entry === undefined)
      throw new HomccError("ERR_HOMCC_PROTOCOL", `the server asks for ${sha1sum}, which no input has`);
    const bytes = await readUnchanged(entry.digest, entry.path);
    // Without compression an empty file is no bytes at all, for which a 1.x server waits for ever.
    const compression = bytes.byteLength === 0 ? "lzo" : this.#compression;
    const payload = await packV1(compression, bytes);
    this.#sentBytes += payload.byteLength;
    await this.#connection.send(
      { message_type: "DependencyReplyMessage", size: payload.byteLength, compression },
      [payload],
    );
  }

  async #take(message: V1ResultMessage, { payloads }: V1Frame): Promise<V1Result> {
    if (message.return_code === v1RetryElsewhere)
      throw new RefusedByServer({
        reason: "executor-failed",
        message: message.stderr || "it asks to compile elsewhere",
      });
    const writers: OutputWriter[] = [];
    try {
      const files = [...message.files, ...(message.dwarf_files ?? [])];
      const written = message.return_code === 0 ? files : [];
      for (const [index, { filename }] of written.entries()) {
        const writer = this.#writerFor(filename);
        writers.push(writer);
        const payload = payloads[index] ?? new Uint8Array();
        using _turn = await unpacking.acquire();
        await writer.write(await unpackV1(message.compression ?? "no_compression", payload, maxOutputBytes));
        await writer.finish();
      }
      const main = this.#mainOutput();
      if (message.return_code === 0 && !writers.some(({ path }) => path === main))
        throw new HomccError("ERR_HOMCC_PROTOCOL", `no ${basename(main)} in a result without an error`);
      return { message, writers, sentBytes: this.#sentBytes, receivedBytes: this.#receivedBytes };
    } catch (error) {
      await Promise.all(writers.map((writer) => writer.discard()));
      throw error;
    }
  }

  /** The only paths a server may write, whatever it says. */
  #writerFor(filename: string): OutputWriter {
    const path = filename === this.#command.object ? this.#mainOutput() : filename;
    const output = this.#action.outputs.find((declared) => declared.path === path);
    if (output === undefined)
      throw new HomccError(
        "ERR_HOMCC_PROTOCOL",
        `the server sent ${filename}, which is no output of the job`,
      );
    return new OutputWriter(path, output.mode ?? 0o666 & ~this.#action.umask);
  }

  #mainOutput(): string {
    return this.#action.outputs[0]?.path ?? "";
  }
}

export function isSystemFile(path: string): boolean {
  return systemFolders.some((folder) => path.startsWith(folder));
}
