import type { BigIntStats } from "node:fs";

/** What of a file's stat changes whenever its contents do. */
export function stampOf(stats: Pick<BigIntStats, "dev" | "ino" | "size" | "mtimeNs" | "ctimeNs">): string {
  return `${stats.dev}:${stats.ino}:${stats.size}:${stats.mtimeNs}:${stats.ctimeNs}`;
}

/**
 * A file system's clock moves in steps (4 ms on ext4, up to 2 s elsewhere): two writes within one step leave the same
 * stat. What was read later than this after the last change can be trusted while the stat stays.
 */
export const clockGrainMs = 2000;

/** Whether contents read at `readAtMs` can be known again by their stamp. A time in the future never settles. */
export function isSettled(stats: Pick<BigIntStats, "mtimeNs" | "ctimeNs">, readAtMs: number): boolean {
  const newestNs = stats.mtimeNs > stats.ctimeNs ? stats.mtimeNs : stats.ctimeNs;
  return Number(newestNs / 1_000_000n) + clockGrainMs < readAtMs;
}
