import { lstatSync, renameSync, unlinkSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type LaunchCall, SocketLaunchCall } from "./call.ts";
import { decodeRequest, encodeReply, peekRequest, requestVersion } from "./codec.ts";
import { type Frame, FrameReader, frameTypes } from "./frame.ts";
import { decodeQuestion, encodeAnswer, type QuestionSubject } from "./question.ts";

export type { LaunchCall } from "./call.ts";

export interface ServeLaunchesOptions {
  /** The socket's name, which is removed when the agent retires or closes. */
  readonly path: string;
  /** A listening socket that the launcher has bound to `path`; without it the agent binds by itself. */
  readonly listenFd?: number;
  /** Identity of the program that is running, as the launcher that started it saw it (`--identity`). */
  readonly identity: string;
  /** One call. If it settles without a final reply, the launcher runs the compiler itself. */
  onLaunch(call: LaunchCall): Promise<void>;
  /** The answer to a question, as JSON. Without it, or when it rejects, the connection ends without one. */
  onQuestion?(subject: QuestionSubject): Promise<string>;
  /** A launcher of another version came: every further call is sent away; finish what runs and end. */
  onRetired?(): void;
  /** Something went wrong with one connection; the launcher at its other end runs the compiler itself. */
  onError?(error: unknown): void;
  /** A launcher writes its request at once: one that does not is stuck or stopped. */
  readonly requestTimeoutMs?: number;
  /** Between the end of the socket's name and of the socket: who has looked the name up before is still served. */
  readonly closeGraceMs?: number;
}

export interface LaunchServer {
  /** Calls that have no final reply yet, and local compilers that still run. */
  readonly openCalls: number;
  /** Takes no more calls, and resolves when the open ones have ended. */
  close(): Promise<void>;
}

const defaultRequestTimeoutMs = 10_000;
const defaultCloseGraceMs = 200;
const listenBacklog = 4096;

/** Accepts launchers and hands their calls to `onLaunch`. Rejects when the socket cannot be listened on. */
export async function serveLaunches(options: ServeLaunchesOptions): Promise<LaunchServer> {
  const server = new SocketLaunchServer(options);
  await server.listen();
  return server;
}

class SocketLaunchServer implements LaunchServer {
  readonly #options: ServeLaunchesOptions;
  readonly #server: Server;
  readonly #calls = new Set<Promise<void>>();
  /** Of the socket's file, while its name is ours to remove. */
  #nameIdentity: string | undefined;
  #retired = false;

  constructor(options: ServeLaunchesOptions) {
    this.#options = options;
    this.#server = createServer((socket) => this.#receive(socket));
  }

  get openCalls(): number {
    return this.#calls.size;
  }

  async listen(): Promise<void> {
    const { listenFd, path } = this.#options;
    // Node removes the name that it has bound when it closes, whoever's it is by then: it never learns the real one.
    const ownName = join(dirname(path), String(process.pid));
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.once("listening", resolve);
      const where = listenFd === undefined ? { path: ownName } : { fd: listenFd };
      this.#server.listen({ ...where, backlog: listenBacklog });
    });
    if (listenFd === undefined) renameSync(ownName, path);
    this.#server.on("error", (error) => this.#options.onError?.(error));
    this.#nameIdentity = identityOf(path);
  }

  async close(): Promise<void> {
    this.#removeName();
    await delay(this.#options.closeGraceMs ?? defaultCloseGraceMs);
    // Its callback waits for connections too, and those end with their calls.
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    await closed;
    await Promise.all(this.#calls);
  }

  #receive(socket: Socket): void {
    const reader = new FrameReader();
    const timer = setTimeout(
      () => socket.destroy(),
      this.#options.requestTimeoutMs ?? defaultRequestTimeoutMs,
    );
    const onData = (chunk: Uint8Array): void => {
      try {
        const [frame] = reader.push(chunk);
        if (frame === undefined) return;
        clearTimeout(timer);
        socket.off("data", onData);
        // Nothing follows a request, but only a stream that is read tells when it ends.
        socket.resume();
        this.#dispatch(socket, frame);
      } catch (error) {
        this.#options.onError?.(error);
        socket.destroy();
      }
    };
    socket.on("data", onData);
    // A launcher that died is seen at "close"; what it died of does not matter.
    socket.on("error", () => {});
    socket.once("close", () => clearTimeout(timer));
  }

  #dispatch(socket: Socket, frame: Frame): void {
    if (frame.type === frameTypes.question) {
      void this.#answer(socket, decodeQuestion(frame).subject);
      return;
    }
    const { version, agentIdentity } = peekRequest(frame);
    if (this.#retired || version !== requestVersion || agentIdentity !== this.#options.identity) {
      this.#retire();
      socket.end(encodeReply({ kind: "retired" }));
      return;
    }
    const call = new SocketLaunchCall(socket, decodeRequest(frame));
    socket.write(encodeReply({ kind: "accepted" }));
    void this.#track(this.#run(call));
  }

  /** A question of another version is answered too: who asks must not be told that nothing runs. */
  async #answer(socket: Socket, subject: QuestionSubject): Promise<void> {
    try {
      const text = await this.#options.onQuestion?.(subject);
      if (text === undefined) socket.destroy();
      else socket.end(encodeAnswer({ agentIdentity: this.#options.identity, text }));
    } catch (error) {
      this.#options.onError?.(error);
      socket.destroy();
    }
  }

  async #track(running: Promise<void>): Promise<void> {
    this.#calls.add(running);
    await running;
    this.#calls.delete(running);
  }

  async #run(call: SocketLaunchCall): Promise<void> {
    try {
      await this.#options.onLaunch(call);
    } catch (error) {
      this.#options.onError?.(error);
    }
    if (!call.isAnswered) call.abandon();
  }

  /** The name goes first: a launcher that is sent away must not meet this agent again. */
  #retire(): void {
    if (this.#retired) return;
    this.#retired = true;
    this.#removeName();
    this.#options.onRetired?.();
  }

  #removeName(): void {
    const { path } = this.#options;
    if (this.#nameIdentity === undefined) return;
    if (identityOf(path) === this.#nameIdentity) unlinkSync(path);
    this.#nameIdentity = undefined;
  }
}

/** With the time, because inodes are used again at once. */
function identityOf(path: string): string | undefined {
  const status = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  return status === undefined ? undefined : `${status.ino}:${status.mtimeNs}`;
}
