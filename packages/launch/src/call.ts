import type { Socket } from "node:net";
import { decodeEnded, encodeReply } from "./codec.ts";
import { FrameReader } from "./frame.ts";
import type { LaunchReply, LaunchRequest, SupervisedEnd } from "./messages.ts";
import { processEnd, startTimeOf } from "./process-end.ts";

/** One call of a launcher, as the agent sees it. After `exit`, `killedBy`, `execute` or `abandon` nothing more is sent. */
export interface LaunchCall {
  readonly request: LaunchRequest;
  /** Aborted when the launcher ends (Ctrl-C, SIGTERM, kill -9) before it had its final reply: nobody wants the result. */
  readonly signal: AbortSignal;
  /** Resolves when the launcher has room for more, or is gone. */
  stdout(bytes: Uint8Array): Promise<void>;
  stderr(bytes: Uint8Array): Promise<void>;
  /** Lines of homcc's own; never compiler output. */
  notice(bytes: Uint8Array): Promise<void>;
  /** The launcher ends with this status, 0 to 255. */
  exit(status: number): void;
  /** The launcher ends by this signal. */
  killedBy(signal: number): void;
  /** The launcher becomes `program`; `("", [])`: the very compiler and arguments it was called with. Resolves when that program has ended. */
  execute(program: string, argv: readonly string[]): Promise<void>;
  /**
   * The launcher runs `program` (words as in `execute`) as its child and waits; the agent then ends the call. Resolves to
   * the program's end, or to `undefined` when the launcher is gone.
   */
  supervise(program: string, argv: readonly string[]): Promise<SupervisedEnd | undefined>;
  /** The launcher runs the compiler itself, at once and out of the agent's sight. For an agent that cannot go on. */
  abandon(): void;
}

/** One frame is never larger: a slow terminal then holds 64 kB of the agent's memory, not a whole log. */
const maxOutputFrameBytes = 64 * 1024;

type State =
  | { readonly kind: "open" }
  /** The final reply is written or on its way. */
  | { readonly kind: "answered" }
  | { readonly kind: "executing"; readonly ended: () => void }
  | { readonly kind: "gone" };

export class SocketLaunchCall implements LaunchCall {
  readonly request: LaunchRequest;
  readonly #socket: Socket;
  readonly #abort = new AbortController();
  #state: State = { kind: "open" };

  constructor(socket: Socket, request: LaunchRequest) {
    this.#socket = socket;
    this.request = request;
    socket.once("close", () => {
      const { kind } = this.#state;
      if (this.#state.kind === "executing") this.#state.ended();
      this.#state = { kind: "gone" };
      if (kind === "open") this.#abort.abort();
    });
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get isAnswered(): boolean {
    return this.#state.kind !== "open";
  }

  async stdout(bytes: Uint8Array): Promise<void> {
    await this.#output("stdout", bytes);
  }

  async stderr(bytes: Uint8Array): Promise<void> {
    await this.#output("stderr", bytes);
  }

  async notice(bytes: Uint8Array): Promise<void> {
    await this.#output("notice", bytes);
  }

  exit(status: number): void {
    this.#answer({ kind: "exit", status });
  }

  killedBy(signal: number): void {
    this.#answer({ kind: "signal", signal });
  }

  async execute(program: string, argv: readonly string[]): Promise<void> {
    if (this.#state.kind === "gone") return;
    this.#requireOpen();
    const connectionEnd = Promise.withResolvers<void>();
    this.#state = { kind: "executing", ended: connectionEnd.resolve };
    const { pid } = this.request;
    // Before the launcher knows: a compiler may be quicker than we look.
    const startTime = await startTimeOf(pid);
    const stopWatching = new AbortController();
    const ends = [connectionEnd.promise];
    if (startTime !== undefined) ends.push(processEnd(pid, startTime, stopWatching.signal));
    this.#socket.write(encodeReply({ kind: "execute", program, argv }));
    await Promise.race(ends);
    stopWatching.abort();
    this.#socket.destroy();
  }

  async supervise(program: string, argv: readonly string[]): Promise<SupervisedEnd | undefined> {
    if (this.#state.kind === "gone") return undefined;
    this.#requireOpen();
    const answer = Promise.withResolvers<SupervisedEnd | undefined>();
    const reader = new FrameReader();
    this.#socket.once("close", () => answer.resolve(undefined));
    this.#socket.on("data", (chunk: Uint8Array) => {
      try {
        for (const frame of reader.push(chunk)) answer.resolve(decodeEnded(frame));
      } catch {
        // Not our launcher: it is left to itself.
        this.#socket.destroy();
      }
    });
    this.#socket.write(encodeReply({ kind: "supervise", program, argv }));
    return await answer.promise;
  }

  abandon(): void {
    if (this.#state.kind === "gone") return;
    this.#requireOpen();
    this.#state = { kind: "answered" };
    this.#socket.destroy();
  }

  async #output(kind: "stdout" | "stderr" | "notice", bytes: Uint8Array): Promise<void> {
    for (let start = 0; start < bytes.byteLength; start += maxOutputFrameBytes) {
      if (this.#state.kind === "gone") return;
      this.#requireOpen();
      const chunk = bytes.subarray(start, start + maxOutputFrameBytes);
      if (!this.#socket.write(encodeReply({ kind, bytes: chunk }))) await this.#drained();
    }
  }

  async #drained(): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.#socket.off("drain", done).off("close", done);
        resolve();
      };
      this.#socket.on("drain", done).on("close", done);
    });
  }

  #answer(reply: LaunchReply): void {
    if (this.#state.kind === "gone") return;
    this.#requireOpen();
    this.#state = { kind: "answered" };
    this.#socket.end(encodeReply(reply));
  }

  #requireOpen(): void {
    if (this.#state.kind !== "open") throw new Error("a launch call was answered twice");
  }
}
