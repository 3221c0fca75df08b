import type { Action, ActionResult } from "@homcc/cas/action";
import type { ExecutorSession } from "@homcc/execution/executor";
import type { SandboxEnvironment } from "./environment.ts";

/** The sessions that one client has in sandboxes; opened by its first job in each. */
export class ClientSandboxes {
  readonly #sessions = new Map<SandboxEnvironment, Promise<ExecutorSession>>();

  async execute(environment: SandboxEnvironment, action: Action, signal: AbortSignal): Promise<ActionResult> {
    await this.#closeEnded();
    let session = this.#sessions.get(environment);
    if (session === undefined) {
      session = environment.executor.openSession();
      this.#sessions.set(environment, session);
      session.catch(() => this.#sessions.delete(environment));
    }
    return await (await session).execute(action, signal);
  }

  async close(): Promise<void> {
    const sessions = [...this.#sessions.values()];
    this.#sessions.clear();
    await Promise.allSettled(sessions.map(async (session) => (await session).close()));
  }

  async #closeEnded(): Promise<void> {
    for (const [environment, session] of this.#sessions) {
      if (environment.isCurrent()) continue;
      this.#sessions.delete(environment);
      await (await session).close();
    }
  }
}
