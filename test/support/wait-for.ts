import { setTimeout as sleep } from "node:timers/promises";

/**
 * Asks `condition` until it gives something else than undefined or false, and returns that.
 * Fails with `what` after `timeoutMs`: tests wait for a condition, never for a time.
 */
export async function waitFor<T>(
  what: string,
  condition: () => T | undefined | false | Promise<T | undefined | false>,
  timeoutMs = 15_000,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const result = await condition();
    if (result !== undefined && result !== false) return result;
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain for ${what}`);
    await sleep(10);
  }
}
