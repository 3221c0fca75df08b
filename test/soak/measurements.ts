import { readdirSync, readFileSync } from "node:fs";
import { listProcesses } from "../support/processes.ts";

/** What one process takes. */
export interface ProcessSize {
  readonly pid: number;
  readonly residentMiB: number;
  readonly descriptors: number;
}

export interface Sample {
  /** Jobs that were done then. */
  readonly jobs: number;
  readonly homccd: ProcessSize;
  readonly agents: readonly ProcessSize[];
}

/** Of a process that is gone, nothing. */
export function sizeOf(pid: number): ProcessSize | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const kiB = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0);
    return { pid, residentMiB: kiB / 1024, descriptors: readdirSync(`/proc/${pid}/fd`).length };
  } catch {
    return undefined;
  }
}

/** Agents whose files lie below `folder`. */
export function agentsBelow(folder: string): number[] {
  return listProcesses()
    .filter(({ commandLine }) => commandLine.some((word) => word.endsWith("/agent.mjs")))
    .filter(({ commandLine }) => commandLine.some((word) => word.startsWith(`${folder}/`)))
    .map(({ pid }) => pid);
}

/** How much larger something became in the last quarter than it was in the quarter before it. */
export interface Growth {
  readonly before: number;
  readonly after: number;
}

/**
 * Of the third and the fourth quarter of a run the smallest values: what a collector has not come to yet is in all others.
 * Descriptors have none, so that of them the largest count.
 */
export function growthOf(
  samples: readonly Sample[],
  pick: (sample: Sample) => number | undefined,
  ofQuarter: (values: readonly number[]) => number,
): Growth {
  const quarter = samples.length >> 2;
  const values = (part: readonly Sample[]): number => ofQuarter(part.flatMap((sample) => pick(sample) ?? []));
  return { before: values(samples.slice(-2 * quarter, -quarter)), after: values(samples.slice(-quarter)) };
}

export const smallest = (values: readonly number[]): number => Math.min(...values);
export const largest = (values: readonly number[]): number => Math.max(...values);
