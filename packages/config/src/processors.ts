import { availableParallelism } from "node:os";

/** Each question reads a file below /proc, and every job asks four times: 0.1 ms. */
const keptMs = 1_000;

let known = 0;
let askedMs = -Infinity;

/** How many processors this process may use, as of the last second: a container's limit can be changed while it runs. */
export function processorCount(): number {
  const nowMs = performance.now();
  if (nowMs - askedMs > keptMs) {
    known = availableParallelism();
    askedMs = nowMs;
  }
  return known;
}
