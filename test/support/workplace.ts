import { chmod, mkdir, mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JobRecord } from "@homcc/homcc/records/job-log";
import { type CommandOptions, type CommandResult, type RunningCommand, startCommand } from "./command.ts";
import { endProcesses, processesMentioning } from "./processes.ts";
import { removeFolder } from "./remove-folder.ts";
import { waitFor } from "./wait-for.ts";

export interface WorkplaceOptions {
  /** Where the folder is made; the system's folder for temporary files without it. */
  readonly parent?: string;
  /** Lines of the hosts file. */
  readonly hosts?: string;
  /** Default true: what cannot be compiled remotely fails with 69 and cannot pass for a success. */
  readonly forbidLocal?: boolean;
  /** Words before every command, to run it in another place that has the folder at the same path. */
  readonly prefix?: (cwd: string) => readonly string[];
}

export type WorkplaceCommandOptions = Partial<CommandOptions>;

/** A developer's machine in a folder: sources, an agent of its own, a log of its jobs. */
export interface Workplace extends AsyncDisposable {
  readonly folder: string;
  /** For the sources; exists and is empty at first. */
  readonly project: string;
  readonly homccFolder: string;
  readonly jobLog: string;
  /** Nothing of the caller's environment but PATH. */
  environment(more?: Readonly<Record<string, string | undefined>>): Record<string, string>;
  run(argv: readonly string[], options?: WorkplaceCommandOptions): Promise<CommandResult>;
  start(argv: readonly string[], options?: WorkplaceCommandOptions): RunningCommand;
  /** All jobs so far; waits until there are at least `count`. */
  jobs(count?: number): Promise<JobRecord[]>;
}

/** PATH of the tests: the system's compilers, whatever the caller's shell puts before them. */
export const systemPath = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";

export async function createWorkplace(options: WorkplaceOptions = {}): Promise<Workplace> {
  const folder = await mkdtemp(join(options.parent ?? tmpdir(), "homcc-test-"));
  await chmod(folder, 0o755);
  const [project, homccFolder, home] = [join(folder, "project"), join(folder, "homcc"), join(folder, "home")];
  for (const path of [project, homccFolder, home]) await mkdir(path);
  const jobLog = join(folder, "jobs.ndjson");
  const base: Record<string, string> = {
    PATH: systemPath,
    HOME: home,
    HOMCC_DIR: homccFolder,
    HOMCC_JOB_LOG: jobLog,
    // Tests see what servers do, also the second time.
    HOMCC_CLIENT_CACHE_SIZE: "0",
    ...(options.hosts === undefined ? {} : { HOMCC_HOSTS: options.hosts }),
    ...(options.forbidLocal === false ? {} : { HOMCC_NO_LOCAL_COMPILATION: "1" }),
  };
  const environment: Workplace["environment"] = (more = {}) => {
    const merged: Record<string, string> = {};
    for (const [name, value] of Object.entries({ ...base, ...more }))
      if (value !== undefined) merged[name] = value;
    return merged;
  };
  const complete = (more: WorkplaceCommandOptions = {}): CommandOptions => ({
    cwd: project,
    environment: environment(),
    ...more,
  });
  const start: Workplace["start"] = (argv, more) => {
    const command = complete(more);
    return startCommand([...(options.prefix?.(command.cwd) ?? []), ...argv], command);
  };
  return {
    folder,
    project,
    homccFolder,
    jobLog,
    environment,
    run: (argv, more) => start(argv, more).finished,
    start,
    jobs: (count = 0) => readJobs(jobLog, count),
    [Symbol.asyncDispose]: async () => {
      await endProcesses(processesMentioning(folder));
      await removeFolder(folder);
    },
  };
}

/** The record is written by the agent, which may be a moment later than the end of the launcher. */
function readJobs(file: string, count: number): Promise<JobRecord[]> {
  return waitFor(`${count} jobs in ${file}`, async () => {
    const content = await readFile(file, "utf8").catch(() => "");
    const lines = content.split("\n").slice(0, -1);
    return lines.length >= count && lines.map(parseRecord);
  });
}

function parseRecord(line: string): JobRecord {
  const record: JobRecord = JSON.parse(line);
  return record;
}
