import { chmod, copyFile, mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runProgram } from "@homcc/compiler/run-program";
import { describeError, HomccError } from "@homcc/observability/error";
import { deviceFiles } from "./action-paths.ts";
import { JobFolder } from "./job-folder.ts";
import { defaultJobLimits, jobBounds, resourceLimits } from "./job-limits.ts";
import { removeTree } from "./remove-tree.ts";
import { JobRunner, type JobRunning } from "./runner.ts";

export type ExecutorName = "namespace" | "mapped";

export type ExecutorProbe =
  | { readonly name: ExecutorName; readonly works: true }
  | { readonly name: ExecutorName; readonly works: false; readonly reason: string };

export interface ProbeOptions {
  /** The built native/runner.c. */
  readonly runnerProgram: string;
  /** A folder in the file system of the store: what works in another one says nothing. */
  readonly folder: string;
  readonly shares: readonly string[];
}

/** Runs one trivial job in each executor's way and says which work on this machine, and why the others do not. */
export async function probeExecutors(options: ProbeOptions): Promise<ExecutorProbe[]> {
  await mkdir(options.folder, { recursive: true });
  return await Promise.all([
    probe("namespace", (folder) => tryNamespaces(options, folder), options),
    probe("mapped", (folder) => tryPlain(options, folder), options),
  ]);
}

async function probe(
  name: ExecutorName,
  attempt: (folder: string) => Promise<void>,
  options: ProbeOptions,
): Promise<ExecutorProbe> {
  const folder = await mkdtemp(join(options.folder, "probe-"));
  try {
    await attempt(folder);
    return { name, works: true };
  } catch (error) {
    return {
      name,
      works: false,
      reason: `${name}: ${describeError(error)}${adviceFor(describeError(error))}`,
    };
  } finally {
    await removeTree(folder);
  }
}

/** The runner is its own test program: it is static, so its layer is one file. */
async function tryNamespaces(options: ProbeOptions, folder: string): Promise<void> {
  const session = join(folder, "session");
  const toolchains = join(folder, "toolchains");
  await mkdir(join(toolchains, "probe"), { recursive: true });
  await copyFile(options.runnerProgram, join(toolchains, "probe", "runner"));
  await chmod(join(toolchains, "probe", "runner"), 0o755);
  for (const path of ["/proc", "/dev", ...options.shares])
    await mkdir(`${session}/base${path}`, { recursive: true });
  for (const device of deviceFiles) await writeFile(`${session}/base${device}`, "");
  const runner = new JobRunner(options.runnerProgram, ["namespace", session, toolchains, ...options.shares]);
  try {
    await runProbe(runner, join(session, "job"), {
      folder: "job",
      layers: "/t/probe:base",
      program: "/runner",
    });
  } finally {
    await runner.close();
  }
}

async function tryPlain(options: ProbeOptions, folder: string): Promise<void> {
  const runner = new JobRunner(options.runnerProgram, ["plain"]);
  try {
    await probePlainRunner(runner, join(folder, "job"), options.runnerProgram);
  } finally {
    await runner.close();
  }
}

/** Runs the runner's own program as a job in `folder`, which is made; rejects when that does not work. */
export async function probePlainRunner(
  runner: JobRunning,
  folder: string,
  runnerProgram: string,
): Promise<void> {
  await runProbe(runner, folder, { folder, layers: "", program: runnerProgram });
}

/**
 * Whether the kernel keeps a plain or sandboxed runner's jobs from files that are not theirs (Landlock), where this command starts the
 * runner; an engine of containers may forbid it.
 */
export async function confinesFiles(
  program: string,
  args: readonly string[] = [],
  environment: Readonly<Record<string, string>> = {},
): Promise<boolean> {
  const asked = {
    args: [...args, "walls"],
    cwd: "/",
    environment,
    timeLimitMs: 20_000,
    maxOutputBytes: 4096,
  };
  const { stdout } = await runProgram(program, asked);
  return Number(stdout.toString()) > 0;
}

async function runProbe(
  runner: JobRunning,
  path: string,
  job: { readonly folder: string; readonly layers: string; readonly program: string },
): Promise<void> {
  const limits = { ...defaultJobLimits, startFreeBytes: 0, minFreeBytes: 0 };
  const folder = await JobFolder.create(path, limits);
  const result = await runner.run(
    {
      folder: job.folder,
      layers: job.layers,
      absent: [],
      cwd: "/",
      umask: 0o022,
      terminals: { stdin: false, stdout: false, stderr: true },
      columns: 80,
      rows: 24,
      terminalOutputLimitBytes: 4096,
      limits: resourceLimits(limits),
      bounds: jobBounds(limits),
      readable: [job.program],
      environment: {},
      steps: [{ program: job.program, argv: ["runner", "--version"] }],
    },
    AbortSignal.timeout(20_000),
  );
  const { termination, stdout } = await folder.read(result, limits);
  const answered = Buffer.from(stdout).toString().startsWith("homcc runner");
  if (termination.kind === "exited" && termination.status === 0 && answered) return;
  throw new HomccError(
    "ERR_HOMCC_EXECUTOR",
    `the test job ended unexpectedly: ${JSON.stringify(termination)}`,
  );
}

function adviceFor(reason: string): string {
  if (reason.includes("unshare(CLONE_NEWUSER)") || reason.includes("mount")) {
    return "; see /proc/sys/user/max_user_namespaces, /proc/sys/kernel/unprivileged_userns_clone and /proc/sys/kernel/apparmor_restrict_unprivileged_userns";
  }
  return "";
}
