import type { Advice } from "@homcc/scheduler/prediction";
import type { HomeLoad } from "../home-load.ts";
import { systemTime, type Time } from "./progress-deadline.ts";
import { SecondThoughts, type SoonerAtHome } from "./second-thoughts.ts";

/** A question about a job without inputs costs 10 µs, and what it waits for, a few round trips, may be over at any time. */
const askEveryMs = 50;

/**
 * The time in which an agent knows nothing: until it has prepared a first job. On a new machine that takes a second, of which most is
 * reading the compiler, and local cores that would idle meanwhile may compile the jobs that wait for it.
 */
export class ColdStart {
  readonly #homeLoad: Pick<HomeLoad, "whenFreed">;
  readonly #time: Time;
  #isOver = false;
  #unprepared = 0;

  constructor(homeLoad: Pick<HomeLoad, "whenFreed">, time = systemTime) {
    this.#homeLoad = homeLoad;
    this.#time = time;
  }

  /**
   * Waits for the preparation, or until `ask` says that the job comes home without one, which then goes on for those that come after.
   * `ask` is told how many jobs wait like this one, it included.
   */
  async prepare<Prepared>(
    preparing: Promise<Prepared>,
    ask: (unprepared: number) => Advice,
    signal: AbortSignal,
  ): Promise<Prepared | SoonerAtHome> {
    if (this.#isOver || signal.aborted) return await preparing;
    this.#unprepared++;
    const home = Promise.withResolvers<SoonerAtHome>();
    using thoughts = new SecondThoughts(
      () => ask(this.#unprepared),
      signal,
      this.#time,
      this.#homeLoad,
      askEveryMs,
    );
    const comeHome = (): void => {
      if (thoughts.soonerAtHome !== undefined) home.resolve(thoughts.soonerAtHome);
    };
    thoughts.signal.addEventListener("abort", comeHome, { once: true });
    const prepared = preparing.then((value) => {
      this.#isOver = true;
      return value;
    });
    try {
      return await Promise.race([prepared, home.promise]);
    } finally {
      this.#unprepared--;
    }
  }
}
