import type { Advice } from "@homcc/scheduler/prediction";
import type { HomeLoad } from "../home-load.ts";
import type { Time } from "./progress-deadline.ts";

/** A job that comes home has lost no more. Each question costs 50 µs with 500 inputs. */
const askEveryMs = 250;

type FreedSlots = Pick<HomeLoad, "whenFreed">;

/** The job is done sooner here than where it waits. */
export class SoonerAtHome extends Error {
  readonly advice: Extract<Advice, { kind: "local" }>;

  constructor(advice: Extract<Advice, { kind: "local" }>) {
    super("sooner at home");
    this.advice = advice;
  }
}

/**
 * Asks again and again, while a job waits for a slot or an upload, and when a local slot becomes free, whether it would be done
 * sooner here. `signal` is aborted with `SoonerAtHome` when it would, and with the caller's signal. Nothing is asked any more once the server compiles it.
 */
export class SecondThoughts implements Disposable {
  readonly #time: Time;
  readonly #ask: () => Advice;
  readonly #outer: AbortSignal;
  readonly #everyMs: number;
  readonly #controller = new AbortController();
  #stopTimer: () => void = () => {};
  #stopWatching: () => void = () => {};

  constructor(
    ask: () => Advice,
    outer: AbortSignal,
    time: Time,
    freed: FreedSlots,
    everyMs: number = askEveryMs,
  ) {
    this.#ask = ask;
    this.#outer = outer;
    this.#everyMs = everyMs;
    this.#time = time;
    if (outer.aborted) this.#follow();
    else {
      outer.addEventListener("abort", this.#follow, { once: true });
      this.#stopTimer = time.timers.after(everyMs, () => {
        if (this.#comesHome()) return;
        this.#stopWatching = freed.whenFreed(() => this.#comesHome());
      });
    }
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Set when it comes home. */
  get soonerAtHome(): SoonerAtHome | undefined {
    const reason: unknown = this.#controller.signal.reason;
    return reason instanceof SoonerAtHome ? reason : undefined;
  }

  /** It is being compiled: whatever comes, it stays there. */
  settle(): void {
    this.#stop();
  }

  [Symbol.dispose](): void {
    this.settle();
    this.#outer.removeEventListener("abort", this.#follow);
  }

  readonly #follow = (): void => {
    this.#stop();
    this.#controller.abort(this.#outer.reason);
  };

  #stop(): void {
    this.#stopTimer();
    this.#stopWatching();
  }

  /** Else it is asked again. */
  #comesHome(): boolean {
    const advice = this.#ask();
    this.#stopTimer();
    if (advice.kind === "local") {
      this.#stop();
      this.#controller.abort(new SoonerAtHome(advice));
      return true;
    }
    this.#stopTimer = this.#time.timers.after(this.#everyMs, () => void this.#comesHome());
    return false;
  }
}
