import { expectedBackMs } from "@homcc/scheduler/health";
import type { HostId } from "@homcc/scheduler/host";
import type { Time } from "./progress-deadline.ts";

/** Until a busy server is asked again. It has kept the job waiting itself before, where memory is what it lacks. */
const pauseMs = 2_000;

/**
 * The servers that refused a job for want of room (`limited`): memory, or too many jobs of one client. That passes, so a job which may
 * not be compiled at home asks them again when no other server is left, for as long as a lost one is waited for.
 */
export class BusyServers {
  readonly #time: Time;
  readonly #hosts = new Set<HostId>();
  #sinceMs: number | undefined;

  constructor(time: Time) {
    this.#time = time;
  }

  note(host: HostId): void {
    this.#hosts.add(host);
    this.#sinceMs ??= this.#time.clock.monotonicMs();
  }

  /** Waits, and takes them out of `tried`. False when there are none, or for too long. Ends early when nobody wants the job any more. */
  async letTryAgain(tried: Set<HostId>, signal: AbortSignal): Promise<boolean> {
    const { clock, timers } = this.#time;
    if (this.#sinceMs === undefined || this.#hosts.size === 0) return false;
    if (clock.monotonicMs() - this.#sinceMs >= expectedBackMs) return false;
    const { promise, resolve } = Promise.withResolvers<void>();
    const stop = timers.after(pauseMs, resolve);
    const giveUp = (): void => resolve();
    signal.addEventListener("abort", giveUp, { once: true });
    await promise;
    signal.removeEventListener("abort", giveUp);
    stop();
    for (const host of this.#hosts) tried.delete(host);
    this.#hosts.clear();
    return true;
  }
}
