import type { Termination } from "@homcc/cas/action";
import type { JobLimits } from "./job-limits.ts";
import type { RunnerResult } from "./runner.ts";

const SIGKILL = 9;
const SIGXCPU = 24;
const SIGXFSZ = 25;

/** What is known when a job's processes are gone. */
export interface JobEnd {
  readonly result: RunnerResult;
  readonly stdoutBytes: number;
  readonly stderrBytes: number;
  /** Read only when the steps failed. */
  readonly stderrText: () => string;
  readonly freeBytes: number;
}

/**
 * Says how a job ended, and whether a limit of this server had a part in it. The steps are drivers: a limit usually
 * ends a program below them (cc1, as), and all that is left of it is the driver's message and its exit status. A wrong
 * "limited" costs one local compile, a missed one breaks a build: so the messages count, whoever wrote them.
 */
export function terminationOf(end: JobEnd, limits: JobLimits): Termination {
  const limit = limitReached(end, limits);
  if (limit !== undefined || end.result.outcome !== "ended")
    return { kind: "limited", limit: limit ?? "memory" };
  const { waitStatus } = end.result;
  const signal = waitStatus & 0x7f;
  return signal === 0 ? { kind: "exited", status: waitStatus >> 8 } : { kind: "signalled", signal };
}

function limitReached(end: JobEnd, limits: JobLimits): string | undefined {
  if (end.result.outcome === "limited") return end.result.limit;
  // Whatever the exit status: not every writer checks whether its last bytes found room.
  if (end.freeBytes < limits.minFreeBytes) return "disk";
  if (end.stdoutBytes > limits.textBytes || end.stderrBytes > limits.textBytes) return "size of the messages";
  if (end.result.outcome === "killed") return "memory"; // nobody but the kernel did it
  if (end.result.waitStatus === 0) return undefined;
  const signal = end.result.waitStatus & 0x7f;
  // The kernel counts the limit in ticks, the usage exactly.
  if (signal === SIGXCPU || end.result.cpuMs >= limits.cpuSeconds * 950) return "CPU time";
  if (signal === SIGKILL) return "memory";
  if (signal === SIGXFSZ) return "file size";
  const text = end.stderrText();
  return limitMessages.find(([, pattern]) => pattern.test(text))?.[0];
}

/** The C library's words in the C locale, as gcc, as and clang print them. */
const limitMessages: readonly [limit: string, message: RegExp][] = [
  ["disk", /No space left on device|Disk quota exceeded/],
  ["file size", /File size limit exceeded|File too large/],
  ["CPU time", /CPU time limit exceeded/],
  ["processes", /Resource temporarily unavailable/],
  ["open files", /Too many open files/],
  [
    "memory",
    /Killed signal terminated program|Cannot allocate memory|[Mm]emory exhausted|out of memory|bad_alloc/,
  ],
];
