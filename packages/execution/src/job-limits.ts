import { totalmem } from "node:os";
import { defaultMinFreeBytes } from "@homcc/cas/free-space";

/**
 * What one job may use. Each keeps a runaway compiler (template recursion, a bomb in a header) from taking the server
 * down; honest compiles stay far below.
 */
export interface JobLimits {
  /** The largest file a job may write. */
  readonly fileSizeBytes: number;
  /** CPU time of each single process. */
  readonly cpuSeconds: number;
  /** Processes and threads of all jobs of the session together: the kernel counts per user namespace. */
  readonly processes: number;
  readonly openFiles: number;
  /** Private writable memory of each process: what it allocates, not what it only maps or reserves. */
  readonly dataBytes: number;
  /** stdout and stderr, each. */
  readonly textBytes: number;
  /** No job starts with less room in its file system. */
  readonly startFreeBytes: number;
  /** A job that ends with less room there is `limited`: it may lack bytes. */
  readonly minFreeBytes: number;
}

/** A control group's bound, where there is one, else what the machine has. */
const memoryBytes = Math.min(totalmem(), process.constrainedMemory() || Infinity);

export const defaultJobLimits: JobLimits = {
  fileSizeBytes: 4 * 2 ** 30,
  cpuSeconds: 3600,
  processes: 8192,
  openFiles: 4096,
  // The greediest honest compiles take some 4 GB. Where several jobs together take too much, the kernel chooses one of
  // them and never homccd: see `oom_score_adj` in native/runner.c.
  dataBytes: Math.max(Math.floor(memoryBytes / 2), 2 ** 30),
  textBytes: 16 * 2 ** 20,
  startFreeBytes: defaultMinFreeBytes,
  minFreeBytes: defaultMinFreeBytes,
};

/** A day, whatever an action asks for; timers overflow at 2^31 ms. */
export const maxTimeoutMs: number = 86_400_000;

/** Linux's numbers, equal on x86-64 and arm64. */
const resources = { cpu: 0, fileSize: 1, data: 2, core: 4, processes: 6, openFiles: 7 } as const;

/** As the runner takes them. `countProcesses` is off where the server's own processes would be counted too. */
export function resourceLimits(limits: JobLimits, countProcesses: boolean) {
  const rows: [resource: number, value: number | undefined][] = [
    [resources.cpu, limits.cpuSeconds],
    [resources.fileSize, limits.fileSizeBytes],
    [resources.data, limits.dataBytes],
    [resources.core, 0],
    [resources.openFiles, limits.openFiles],
    [resources.processes, countProcesses ? limits.processes : undefined],
  ];
  return rows.flatMap(([resource, value]) =>
    value === undefined ? [] : [{ resource, value: BigInt(value) }],
  );
}
