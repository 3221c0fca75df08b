/** Timers are injected, so that tests decide when they fire. */
export interface Timers {
  /** Calls `run` after `delayMs`; the returned function cancels that. */
  after(delayMs: number, run: () => void): () => void;
}

/** The process's own timers; they do not keep it alive. */
export const systemTimers: Timers = {
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs).unref();
    return () => clearTimeout(timer);
  },
};
