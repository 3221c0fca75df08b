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

/** Milliseconds since the epoch that a calendar has: a number out of a file may be any. */
export function isCalendarMs(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= maxCalendarMs;
}

/** The last moment of a Date. */
const maxCalendarMs = 8.64e15;
