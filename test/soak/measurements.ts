import { readdirSync, readFileSync } from "node:fs";
import { listProcesses } from "../support/processes.ts";

/** What one process takes. */
export interface ProcessSize {
  readonly pid: number;
  readonly residentMiB: number;
  readonly descriptors: number;
  /** Of the process itself, since it began. */
  readonly cpuSeconds: number;
}

/** USER_HZ, which is 100 on every Linux that Node runs on. */
const ticksPerSecond = 100;

export interface Sample {
  /** Jobs that were done then. */
  readonly jobs: number;
  readonly homccd: ProcessSize & { readonly heapMiB: number };
  readonly agents: readonly ProcessSize[];
}

/** Of a process that is gone, nothing. */
export function sizeOf(pid: number): ProcessSize | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const kiB = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0);
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const [user, system] = stat
      .slice(stat.lastIndexOf(")") + 2)
      .split(" ")
      .slice(11, 13)
      .map(Number);
    return {
      pid,
      residentMiB: kiB / 1024,
      descriptors: readdirSync(`/proc/${pid}/fd`).length,
      cpuSeconds: ((user ?? 0) + (system ?? 0)) / ticksPerSecond,
    };
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
 * Of the third and the fourth quarter of a run the smallest values: they are of moments at which little went on, and what
 * is lost for good is in all of them.
 */
export function growthOf(samples: readonly Sample[], pick: (sample: Sample) => number | undefined): Growth {
  const quarter = samples.length >> 2;
  const least = (part: readonly Sample[]): number =>
    Math.min(...part.flatMap((sample) => pick(sample) ?? []));
  return { before: least(samples.slice(-2 * quarter, -quarter)), after: least(samples.slice(-quarter)) };
}
