/** Time is injected, so that tests decide what it is. */
export interface Clock {
  /** Milliseconds since the epoch; may jump. For comparing with file times. */
  wallMs(): number;
  /** Milliseconds that only grow. For durations. */
  monotonicMs(): number;
}

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};
