import type { Executor, ExecutorSession } from "@homcc/execution/executor";
import { SeenPaths } from "./seen-paths.ts";

/** A build of a 1.x client opens a connection for each file; between two of them no more than this passes. */
const idleMs = 60_000;

/** What the jobs of one client's machine share: mirrored inputs, and the paths that are in there. */
export interface V1Session extends AsyncDisposable {
  readonly executorSession: ExecutorSession;
  readonly seenPaths: SeenPaths;
}

interface Kept {
  readonly opening: Promise<ExecutorSession>;
  readonly seenPaths: SeenPaths;
  users: number;
  timer: NodeJS.Timeout | undefined;
}

/** More paths than any project has: the session then starts anew. */
const maxSeenPaths = 100_000;

/**
 * Executor sessions of homcc 1.x clients, whose protocol has a connection per job and no notion of a client: one per
 * address. Opening one starts a process and lays out all inputs, 100 ms and more for each job otherwise.
 */
export class V1Sessions {
  readonly #executor: Executor;
  readonly #kept = new Map<string, Kept>();

  constructor(executor: Executor) {
    this.#executor = executor;
  }

  /** Disposed at the end of the job. */
  async use(address: string): Promise<V1Session> {
    const known = this.#kept.get(address);
    const isFull = known !== undefined && known.seenPaths.size >= maxSeenPaths;
    if (isFull && known.users === 0) void closeSession(known);
    const kept = known === undefined || isFull ? this.#open(address) : known;
    kept.users += 1;
    clearTimeout(kept.timer);
    try {
      const executorSession = await kept.opening;
      return {
        executorSession,
        seenPaths: kept.seenPaths,
        [Symbol.asyncDispose]: () => this.#release(address, kept),
      };
    } catch (error) {
      if (this.#kept.get(address) === kept) this.#kept.delete(address);
      throw error;
    }
  }

  /** Ends all of them, and their jobs. */
  async close(): Promise<void> {
    const all = [...this.#kept.values()];
    this.#kept.clear();
    await Promise.all(all.map(closeSession));
  }

  #open(address: string): Kept {
    const kept: Kept = {
      opening: this.#executor.openSession(),
      seenPaths: new SeenPaths(),
      users: 0,
      timer: undefined,
    };
    this.#kept.set(address, kept);
    return kept;
  }

  async #release(address: string, kept: Kept): Promise<void> {
    kept.users -= 1;
    if (kept.users > 0) return;
    if (this.#kept.get(address) !== kept) {
      await closeSession(kept);
      return;
    }
    kept.timer = setTimeout(() => {
      this.#kept.delete(address);
      void closeSession(kept);
    }, idleMs).unref();
  }
}

async function closeSession(kept: Kept): Promise<void> {
  clearTimeout(kept.timer);
  const session = await kept.opening.catch(() => undefined);
  await session?.close();
}
