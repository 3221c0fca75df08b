import type { Executor, ExecutorSession } from "@homcc/execution/executor";

/** An executor whose open sessions can all be ended: a runner that outlives its container would keep the container's files. */
export class TrackedExecutor implements Executor {
  readonly name: string;
  readonly #inner: Executor;
  readonly #open = new Set<ExecutorSession>();

  constructor(inner: Executor) {
    this.name = inner.name;
    this.#inner = inner;
  }

  async openSession(): Promise<ExecutorSession> {
    const session = await this.#inner.openSession();
    const tracked: ExecutorSession = {
      execute: (action, signal) => session.execute(action, signal),
      floor: async () => await session.floor?.(),
      close: async () => {
        this.#open.delete(tracked);
        await session.close();
      },
    };
    this.#open.add(tracked);
    return tracked;
  }

  /** Ends their jobs too. */
  async closeSessions(): Promise<void> {
    await Promise.allSettled([...this.#open].map((session) => session.close()));
  }
}
