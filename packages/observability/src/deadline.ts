/** The time limit of one job, as a signal that is aborted with the caller's too. */
export interface Deadline extends Disposable {
  readonly signal: AbortSignal;
  /** The time is over, and the caller had not given up before. */
  readonly isOver: boolean;
}

/**
 * Disposed with the job. `AbortSignal.timeout` would keep a timer and everything that listens for the rest of the limit: an
 * agent that is idle after a build of 200 files woke up 200 times in the next four minutes.
 */
export function deadlineAfter(timeoutMs: number, outer: AbortSignal): Deadline {
  const controller = new AbortController();
  let isOver = false;
  const timer = setTimeout(() => {
    isOver = true;
    controller.abort(new Error(`not finished after ${timeoutMs} ms`));
  }, timeoutMs);
  const follow = (): void => {
    clearTimeout(timer);
    controller.abort(outer.reason);
  };
  if (outer.aborted) follow();
  else outer.addEventListener("abort", follow, { once: true });
  return {
    signal: controller.signal,
    get isOver() {
      return isOver;
    },
    [Symbol.dispose]() {
      clearTimeout(timer);
      outer.removeEventListener("abort", follow);
    },
  };
}
