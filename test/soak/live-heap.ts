import { once } from "node:events";
import { waitFor } from "../support/wait-for.ts";

interface Answer {
  readonly id?: number;
  readonly result?: { readonly usedSize?: number; readonly backingStorageSize?: number };
}

/**
 * What a Node process holds in memory, garbage collected: its resident size depends on when it last was. The process was
 * started with `--inspect` and says on standard error where it listens.
 */
export class LiveHeap implements Disposable {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #last = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => {
      const answer: Answer = JSON.parse(String(data));
      this.#waiting.get(answer.id ?? 0)?.(answer);
    });
    socket.addEventListener("close", () => {
      for (const settle of this.#waiting.values()) settle({});
    });
  }

  /** `log` gives what the process has printed so far. */
  static async of(process: { log(): string }): Promise<LiveHeap> {
    const url = await waitFor(
      "an inspector",
      () => /Debugger listening on (ws:\S+)/.exec(process.log())?.[1],
    );
    const socket = new WebSocket(url);
    await once(socket, "open");
    return new LiveHeap(socket);
  }

  /** MiB of objects and buffers; `undefined` when the process is gone. */
  async measure(): Promise<number | undefined> {
    await this.#ask("HeapProfiler.collectGarbage");
    const { result } = await this.#ask("Runtime.getHeapUsage");
    if (result?.usedSize === undefined) return undefined;
    return (result.usedSize + (result.backingStorageSize ?? 0)) / 2 ** 20;
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }

  #ask(method: string): Promise<Answer> {
    if (this.#socket.readyState !== WebSocket.OPEN) return Promise.resolve({});
    const id = ++this.#last;
    return new Promise((resolve) => {
      this.#waiting.set(id, (answer) => {
        this.#waiting.delete(id);
        resolve(answer);
      });
      this.#socket.send(JSON.stringify({ id, method }));
    });
  }
}
