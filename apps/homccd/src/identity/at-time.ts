/** Timers of Node count 24 days at most. */
const maxTimerMs = 2 ** 31 - 1;

/** Calls back once that time is over, by the clock on the wall; `undefined` never is. */
export function atTime(ms: number | undefined, callBack: () => void): Disposable {
  let timer: NodeJS.Timeout | undefined;
  const wait = (): void => {
    if (ms === undefined) return;
    const leftMs = ms - Date.now();
    if (leftMs < 0) callBack();
    else timer = setTimeout(wait, Math.min(leftMs + 1, maxTimerMs));
  };
  wait();
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}
