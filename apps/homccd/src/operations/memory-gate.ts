import type { Clock } from "@homcc/observability/clock";
import { HomccError } from "@homcc/observability/error";
import type { Timers } from "@homcc/transport/timers";
import type { MemoryReading } from "./memory-reading.ts";

/** So long a reading counts: a hundred jobs that begin at once cost one. */
const readingCountsMs = 250;

/** Jobs that have waited this long for memory are refused, so that their clients go elsewhere. */
const longestShutMs = 10_000;

/** Above this share of time in which everything waits for memory, the machine makes no progress. */
const maxStalledPercent = 20;

export interface MemoryGateOptions {
  readonly read: () => MemoryReading;
  /** Asked each time: it may change. */
  readonly minFreeBytes: () => number;
  readonly clock: Clock;
  readonly timers: Timers;
  /** Jobs wait from now on. */
  readonly onShut: (why: string) => void;
  /** It may be open by now: whoever waits asks again. */
  readonly onLook: () => void;
  /** It has been shut for long; `reason` is for those who wait. Called again while it stays shut. */
  readonly onLongShut: (reason: HomccError) => void;
}

/**
 * Lets no more jobs begin while memory is short. One always may: a machine that is always short of memory is slow, and not out
 * of order.
 */
export class MemoryGate {
  readonly #options: MemoryGateOptions;
  #reading: MemoryReading | undefined;
  #readMs = -Infinity;
  #shutSinceMs: number | undefined;
  #cancelTimer: (() => void) | undefined;

  constructor(options: MemoryGateOptions) {
    this.#options = options;
  }

  /** Whether a job may begin beside `running` ones. While it may not, `onLook` is called now and then. */
  admits(running: number): boolean {
    if (running === 0) return true;
    const why = this.#shortage();
    if (why === undefined) {
      this.#shutSinceMs = undefined;
      return true;
    }
    if (this.#shutSinceMs === undefined) this.#options.onShut(why);
    this.#shutSinceMs ??= this.#options.clock.monotonicMs();
    this.#cancelTimer ??= this.#options.timers.after(readingCountsMs, () => this.#look());
    return false;
  }

  /** Bytes that are left, as of the latest reading, or of one now. */
  get availableBytes(): number | undefined {
    return this.#latest().availableBytes;
  }

  close(): void {
    this.#cancelTimer?.();
  }

  #look(): void {
    const { clock, onLook, onLongShut } = this.#options;
    this.#cancelTimer = undefined;
    onLook();
    const why = this.#shortage();
    if (why === undefined) this.#shutSinceMs = undefined;
    else if (this.#shutSinceMs !== undefined && clock.monotonicMs() - this.#shutSinceMs >= longestShutMs)
      onLongShut(new HomccError("ERR_HOMCC_UNAVAILABLE", why));
  }

  #shortage(): string | undefined {
    const { availableBytes, stalledPercent } = this.#latest();
    const minBytes = this.#options.minFreeBytes();
    if (availableBytes !== undefined && availableBytes < minBytes) {
      return `short of memory: ${mib(availableBytes)} available, min_free_memory of homccd is ${mib(minBytes)}`;
    }
    if (minBytes > 0 && stalledPercent > maxStalledPercent)
      return `short of memory: everything waited for it ${Math.round(stalledPercent)} % of the last ten seconds`;
    return undefined;
  }

  #latest(): MemoryReading {
    const nowMs = this.#options.clock.monotonicMs();
    if (this.#reading === undefined || nowMs - this.#readMs >= readingCountsMs) {
      this.#reading = this.#options.read();
      this.#readMs = nowMs;
    }
    return this.#reading;
  }
}

function mib(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}
