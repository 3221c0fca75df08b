import { totalmem } from "node:os";
import { defaultMinFreeBytes } from "@homcc/cas/free-space";
import type { JobBounds } from "./runner-codec.ts";

/**
 * What one job may use: the first four each of its processes, since the kernel counts so, the next three all of them together. Each keeps a runaway compiler (template recursion, a bomb in a header) from taking the server
 * down; honest compiles stay far below.
 */
export interface JobLimits {
  /** The largest file a job may write. */
  readonly fileSizeBytes: number;
  /** CPU time of each process. */
  readonly cpuSeconds: number;
  /**
   * No process of a job starts another while so many processes and threads are there: of all jobs of the session, as the kernel
   * counts per user namespace, and without namespaces of all of homccd's account. It does not bind homccd itself, nor root.
   */
  readonly processes: number;
  readonly openFiles: number;
  /** Private writable memory of each process: what it allocates, not what it only maps or reserves. */
  readonly dataBytes: number;
  /** Memory of all processes of the job together: half a machine's cannot be taken thousands of times over. */
  readonly memoryBytes: number;
  /** Processes of the job. Below the above one client's other jobs can go on. */
  readonly jobProcesses: number;
  /** What all files that it writes take on the disk, those that it removed and keeps open too. */
  readonly writtenBytes: number;
  /** Bytes of all outputs of the job: holes in a file take no room here and all of it at the client. */
  readonly outputBytes: number;
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
  memoryBytes: Math.max(Math.floor(memoryBytes / 2), 2 ** 30),
  jobProcesses: 1024,
  writtenBytes: 8 * 2 ** 30,
  outputBytes: 8 * 2 ** 30,
  textBytes: 16 * 2 ** 20,
  startFreeBytes: defaultMinFreeBytes,
  minFreeBytes: defaultMinFreeBytes,
};

/** A day, whatever an action asks for; timers overflow at 2^31 ms. */
export const maxTimeoutMs: number = 86_400_000;

/** Linux's numbers, equal on x86-64 and arm64. */
const resources = { cpu: 0, fileSize: 1, data: 2, core: 4, processes: 6, openFiles: 7 } as const;

/** What the runner watches. */
export function jobBounds(limits: JobLimits): JobBounds {
  const { memoryBytes, jobProcesses, writtenBytes, minFreeBytes } = limits;
  return { memoryBytes, processes: jobProcesses, writtenBytes, minFreeBytes };
}

/** As the runner takes them. */
export function resourceLimits(limits: JobLimits) {
  const rows: [resource: number, value: number][] = [
    [resources.cpu, limits.cpuSeconds],
    [resources.fileSize, limits.fileSizeBytes],
    [resources.data, limits.dataBytes],
    [resources.core, 0],
    [resources.openFiles, limits.openFiles],
    [resources.processes, limits.processes],
  ];
  return rows.map(([resource, value]) => ({ resource, value: BigInt(value) }));
}
