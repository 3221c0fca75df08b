import { type ChildProcessByStdio, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { HomccError } from "@homcc/observability/error";
import { forwardCommand, masterCommand, readyWord, type SshRoute, type SshSockets } from "./ssh-command.ts";
import { forwardFailed, loginFailed } from "./ssh-error.ts";
import { SshWords } from "./ssh-words.ts";

export interface SshMasterOptions {
  readonly route: SshRoute;
  /** Private to the user, because whoever connects to the sockets in it is connected to homccd. */
  readonly folder: string;
  /** Of the job that wants it. */
  readonly environment: Readonly<Record<string, string>>;
  /** Called whenever ssh says something, of which there is much while it logs in. */
  readonly onSign?: (sign: "started" | "accepted") => void;
}

/**
 * The shell stands between us and ssh because a process that is killed cannot clean up: `read` ends when we do, however
 * that comes, and takes along everything that was started here, also by a wrapper around ssh.
 */
const guard = `control=$1 forward=$2; shift 2
"$@" </dev/null &
exec >/dev/null 2>&1
read -r line
trap "" TERM
kill -TERM 0
wait
rm -f "$control" "$forward"`;

/** One ssh process that is logged in, and the connections to homccd that go through it. */
export class SshMaster {
  readonly words = new SshWords();
  /** Resolves when connections can be made; rejects with an `SshError`. */
  readonly ready: Promise<void>;
  /** Resolves when ssh is gone. */
  readonly ended: Promise<void>;
  readonly #options: SshMasterOptions;
  readonly #sockets: SshSockets;
  readonly #guard: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #abort = new AbortController();
  readonly #connections = new Set<Socket>();
  #state: "starting" | "ready" | "ending" = "starting";
  #endsWithLastConnection = false;
  #isGone = false;

  constructor(options: SshMasterOptions) {
    this.#options = options;
    // No longer than agent.sock, which the folder's name leaves room for.
    const name = randomBytes(4).toString("hex");
    this.#sockets = { control: `${name}.c`, forward: `${name}.f` };
    this.#guard = this.#start();
    this.ended = this.#watch();
    this.ready = this.#prepare();
    this.ready.catch(() => this.end());
  }

  get isReady(): boolean {
    return this.#state === "ready";
  }

  get isUsable(): boolean {
    return this.#state !== "ending";
  }

  get connections(): number {
    return this.#connections.size;
  }

  /** A connection to homccd, or to a socket that is closed at once when homccd is not there: see `words`. */
  async connect(): Promise<Socket> {
    const socket = connect(join(this.#options.folder, this.#sockets.forward));
    // Listened to for as long as the socket lives: an error without a listener would end the process.
    socket.on("error", () => {});
    this.#connections.add(socket);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.once("connect", resolve);
    socket.once("close", () => {
      reject(this.#whyNot());
      this.#connections.delete(socket);
      if (this.#connections.size === 0 && this.#endsWithLastConnection) this.end();
    });
    await promise;
    return socket;
  }

  /** It is not trusted any more, and those who use it may go on. */
  endWithLastConnection(): void {
    this.#endsWithLastConnection = true;
    if (this.#connections.size === 0) this.end();
  }

  /** It is trusted again. */
  keep(): void {
    this.#endsWithLastConnection = false;
  }

  end(): void {
    if (this.#state === "ending") return;
    this.#state = "ending";
    this.#abort.abort();
    this.#guard.stdin.end();
    // At once, and not when ssh has ended: no job is to be sent on one of them meanwhile.
    for (const socket of this.#connections) socket.destroy();
  }

  #start(): ChildProcessByStdio<Writable, Readable, Readable> {
    const { route, folder } = this.#options;
    const { control, forward } = this.#sockets;
    const words = ["-c", guard, "sh", control, forward, ...masterCommand(route, this.#sockets)];
    const child = spawn("/bin/sh", words, {
      cwd: folder,
      // A process group of its own, which the guard ends.
      detached: true,
      env: this.#environment(),
      stdio: ["pipe", "pipe", "pipe"],
    });
    // It may be gone before we end it.
    child.stdin.on("error", () => {});
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.words.feed(text);
      this.#options.onSign?.(
        /Connection established|Remote protocol version/.test(text) ? "accepted" : "started",
      );
    });
    return child;
  }

  /** ssh runs its local command by the user's shell, which may print what it likes, or be no shell. */
  #environment(): Record<string, string> {
    return { ...this.#options.environment, SHELL: "/bin/sh" };
  }

  /** The guard has let go of its output: that ends with ssh. */
  async #watch(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#guard.once("error", (error) => this.words.feed(`${error.message}\n`));
    this.#guard.stderr.once("close", resolve);
    await promise;
    this.#isGone = true;
    this.end();
  }

  async #prepare(): Promise<void> {
    await this.#loggedIn();
    await this.#forward();
    // No more orders: with one, any program of the user could open a shell on the server without its key.
    await rm(join(this.#options.folder, this.#sockets.control), { force: true });
    if (this.#state === "ending") throw this.#whyNot();
    this.#state = "ready";
    this.#options.onSign?.("accepted");
  }

  #loggedIn(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let printed = "";
    this.#guard.stdout.setEncoding("utf8").on("data", (text: string) => {
      printed = `${printed}${text}`.slice(-1000);
      if (printed.includes(readyWord)) resolve();
    });
    this.#abort.signal.addEventListener("abort", () => reject(this.#whyNot()), { once: true });
    return promise;
  }

  async #forward(): Promise<void> {
    const { route, folder } = this.#options;
    const [program = "", ...words] = forwardCommand(route, this.#sockets);
    const order = spawn(program, words, {
      cwd: folder,
      env: this.#environment(),
      stdio: ["ignore", "ignore", "pipe"],
      signal: this.#abort.signal,
    });
    const said = new SshWords();
    order.stderr.setEncoding("utf8").on("data", (text: string) => said.feed(text));
    order.once("error", (error) => said.feed(`${error.message}\n`));
    const { promise, resolve } = Promise.withResolvers<number | null>();
    order.once("close", resolve);
    const status = await promise;
    if (this.#state === "ending") throw this.#whyNot();
    if (status !== 0) throw forwardFailed(route, said.reason);
  }

  #whyNot(): HomccError {
    if (this.#isGone) return loginFailed(this.#options.route, this.words.reason);
    return new HomccError("ERR_HOMCC_UNAVAILABLE", "this connection of ssh is not needed any more");
  }
}
