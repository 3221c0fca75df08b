import type { Clock } from "@homcc/observability/clock";

/** The place name of slots of this machine; servers have their `name:port`. */
export const atHomePlace = "localhost";

/** A job that holds a slot now. */
export interface SlotHolder {
  /** Source files as written in the command, or the program's name. */
  readonly job: string;
  readonly seconds: number;
}

interface Holding {
  readonly place: string;
  readonly job: string;
  readonly sinceMs: number;
}

/** Which jobs hold slots, and since when: for those who ask why theirs waits. */
export class SlotHolders {
  readonly #clock: Clock;
  readonly #holdings = new Set<Holding>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The job holds a slot at `place` until the returned object is disposed. */
  hold(place: string, job: string): Disposable {
    const holding: Holding = { place, job, sinceMs: this.#clock.monotonicMs() };
    this.#holdings.add(holding);
    return { [Symbol.dispose]: () => this.#holdings.delete(holding) };
  }

  /** The longest holding first. */
  at(place: string): SlotHolder[] {
    const nowMs = this.#clock.monotonicMs();
    return [...this.#holdings]
      .filter((holding) => holding.place === place)
      .map(({ job, sinceMs }) => ({ job, seconds: Math.round((nowMs - sinceMs) / 100) / 10 }));
  }
}
