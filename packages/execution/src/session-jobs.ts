import { HomccError } from "@homcc/observability/error";

/** The jobs of one executor session. None outlives it. */
export class SessionJobs {
  readonly #closing = new AbortController();
  readonly #running = new Set<Promise<unknown>>();

  /** Runs `job`, whose signal is aborted by the caller's and by the end of the session. */
  async run<Result>(job: (signal: AbortSignal) => Promise<Result>, signal: AbortSignal): Promise<Result> {
    const ended = AbortSignal.any([signal, this.#closing.signal]);
    ended.throwIfAborted();
    const running = job(ended);
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }

  /** Aborts all jobs, has `stop` end what runs them, and waits until the last one is through. */
  async end(stop: () => Promise<void>): Promise<void> {
    this.#closing.abort(new HomccError("ERR_HOMCC_EXECUTOR", "the session was closed"));
    await stop();
    await Promise.allSettled(this.#running);
  }
}
