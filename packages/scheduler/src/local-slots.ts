import { processorCount } from "@homcc/config/processors";
import { SlotQueue } from "./slots.ts";

/**
 * The slots of this machine: whatever runs at home, links and fallbacks included, holds one of them. `limit` is the
 * N of `localhost/N`; without such a line it is the number of CPUs. At least one, because `localhost/0` would leave
 * no place to link in.
 */
export function createLocalSlots(limit: number | undefined): SlotQueue {
  return new SlotQueue(localLimit(limit));
}

/** The number of local slots that `localhost/N`, or no such line, comes to; also for `SlotQueue.resize`. */
export function localLimit(limit: number | undefined): number {
  return Math.max(1, limit ?? processorCount());
}
