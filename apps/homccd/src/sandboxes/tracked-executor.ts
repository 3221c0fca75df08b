import type { Action, ActionResult } from "@homcc/cas/action";
import type { Executor, ExecutorSession } from "@homcc/execution/executor";
import { HomccError } from "@homcc/observability/error";

/**
 * An executor in a place that may end: a container that is killed, a session that is ended. Its sessions can all be closed,
 * as a runner that outlives its container would keep the container's files. What a job came to under which the place
 * ended is worth nothing: headers may have gone meanwhile, and the compiler's complaint about it is no compile error.
 */
export class TrackedExecutor implements Executor {
  readonly name: string;
  readonly #inner: Executor;
  readonly #isCurrent: () => boolean;
  readonly #open = new Set<ExecutorSession>();

  /** `isCurrent` turns false for good when the place ends. */
  constructor(inner: Executor, isCurrent: () => boolean) {
    this.name = inner.name;
    this.#inner = inner;
    this.#isCurrent = isCurrent;
  }

  async openSession(): Promise<ExecutorSession> {
    const session = await this.#inner.openSession();
    const tracked: ExecutorSession = {
      execute: (action, signal) => this.#execute(session, action, signal),
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

  async #execute(session: ExecutorSession, action: Action, signal: AbortSignal): Promise<ActionResult> {
    const result = await session.execute(action, signal);
    if (this.#isCurrent()) return result;
    await result[Symbol.asyncDispose]();
    throw new HomccError("ERR_HOMCC_EXECUTOR", "the sandbox ended while the job ran");
  }
}
