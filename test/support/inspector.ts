import { once } from "node:events";

interface Answer<Result> {
  readonly id?: number;
  readonly result?: Result;
}

/**
 * Asks another Node process, one that was started with `--inspect`, in the protocol of its inspector. `Result`: what is read of
 * the answers.
 */
export class Inspector<Result> implements Disposable {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (result: Result | undefined) => void>();
  #last = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => {
      const { id, result }: Answer<Result> = JSON.parse(String(data));
      this.#settle(id ?? 0, result);
    });
    socket.addEventListener("close", () => {
      for (const id of this.#waiting.keys()) this.#settle(id, undefined);
    });
  }

  /** `url`: as the process prints it. */
  static async connect<Result>(url: string): Promise<Inspector<Result>> {
    const socket = new WebSocket(url);
    await once(socket, "open");
    return new Inspector<Result>(socket);
  }

  /** `undefined` when the process refuses it, or is gone. */
  ask(method: string, params: object = {}): Promise<Result | undefined> {
    if (this.#socket.readyState !== WebSocket.OPEN) return Promise.resolve(undefined);
    const id = ++this.#last;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#socket.send(JSON.stringify({ id, method, params }));
    });
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }

  #settle(id: number, result: Result | undefined): void {
    const settle = this.#waiting.get(id);
    this.#waiting.delete(id);
    settle?.(result);
  }
}
