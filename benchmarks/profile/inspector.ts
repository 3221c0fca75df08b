import { waitFor } from "../../test/support/wait-for.ts";

/** What V8 sampled: nodes are functions in their call stacks. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  /** Microseconds since the sample before. */
  readonly timeDeltas: readonly number[];
}

interface Answer {
  readonly id?: number;
  readonly result?: { readonly profile?: CpuProfile };
}

/** The profiler of another Node process that was started with `--inspect`. */
export class Inspector {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #last = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => {
      const answer: Answer = JSON.parse(String(data));
      this.#waiting.get(answer.id ?? 0)?.(answer);
    });
  }

  static async connect(port: number): Promise<Inspector> {
    const url = await waitFor(`an inspector at port ${port}`, async () => {
      const response = await fetch(`http://127.0.0.1:${port}/json/list`).catch(() => undefined);
      const targets: { readonly webSocketDebuggerUrl: string }[] = JSON.parse(
        (await response?.text()) ?? "[]",
      );
      return targets[0]?.webSocketDebuggerUrl;
    });
    const socket = new WebSocket(url);
    await new Promise((resolve, reject) => {
      socket.addEventListener("open", resolve);
      socket.addEventListener("error", reject);
    });
    return new Inspector(socket);
  }

  async start(): Promise<void> {
    await this.#ask("Profiler.enable");
    await this.#ask("Profiler.setSamplingInterval", { interval: 500 });
    await this.#ask("Profiler.start");
  }

  async stop(): Promise<CpuProfile> {
    const { result } = await this.#ask("Profiler.stop");
    this.#socket.close();
    if (result?.profile === undefined) throw new Error("no profile");
    return result.profile;
  }

  #ask(method: string, params: object = {}): Promise<Answer> {
    const id = ++this.#last;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#socket.send(JSON.stringify({ id, method, params }));
    });
  }
}
