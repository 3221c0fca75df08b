import { chmod, mkdir, readFile, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import type { Action, Termination } from "@homcc/cas/action";
import { HomccError } from "@homcc/observability/error";
import type { JobLimits } from "./job-limits.ts";
import { removeTree } from "./remove-tree.ts";
import type { RunnerJob } from "./runner-codec.ts";
import type { RunnerResult } from "./runner.ts";
import { terminationOf } from "./termination.ts";

/** The part of a runner's job that comes straight from the action. */
export function describeAction(action: Action, limits: JobLimits) {
  const { stdin, stdout, stderr } = action.terminal;
  // gcc asks descriptor 0 for the width, clang its own 2; they share one terminal.
  const size = stdin ?? stderr ?? stdout;
  return {
    umask: action.umask,
    terminals: { stdin: stdin !== undefined, stdout: stdout !== undefined, stderr: stderr !== undefined },
    columns: size?.columns ?? 0,
    rows: size?.rows ?? 0,
    terminalOutputLimitBytes: limits.textBytes,
  } satisfies Partial<RunnerJob>;
}

export interface JobText {
  readonly termination: Termination;
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
}

/** The folder of one job: `l` its own lower layer, `upper` and `work` the overlay's, `stdout` and `stderr`. */
export class JobFolder {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async create(path: string, limits: JobLimits): Promise<JobFolder> {
    await requireRoom(join(path, ".."), Math.max(limits.startFreeBytes, limits.minFreeBytes));
    try {
      await mkdir(join(path, "upper", "tmp"), { recursive: true });
      await Promise.all([
        mkdir(join(path, "work")),
        chmod(join(path, "upper"), 0o755), // becomes the mode of the job's `/`
        chmod(join(path, "upper", "tmp"), 0o1777),
      ]);
    } catch (error) {
      await removeTree(path);
      throw asStoreError(error);
    }
    return new JobFolder(path);
  }

  /** Reads what the job said; over the limit, only its beginning. `result` is `undefined` after a timeout. */
  async read(result: RunnerResult | undefined, limits: JobLimits): Promise<JobText> {
    const [stdout, stderr] = await Promise.all([this.#text("stdout", limits), this.#text("stderr", limits)]);
    const termination: Termination =
      result === undefined
        ? { kind: "timed-out" }
        : terminationOf(
            {
              result,
              stdoutBytes: stdout.sizeBytes,
              stderrBytes: stderr.sizeBytes,
              stderrText: () => stderr.bytes.toString("latin1"),
              freeBytes: await freeBytes(this.path),
            },
            limits,
          );
    return { termination, stdout: stdout.bytes, stderr: stderr.bytes };
  }

  async remove(): Promise<void> {
    await removeTree(this.path);
  }

  async #text(name: string, limits: JobLimits): Promise<{ bytes: Buffer; sizeBytes: number }> {
    const path = join(this.path, name);
    const sizeBytes = (await stat(path).catch(() => undefined))?.size ?? 0;
    // A text over the limit is no result: nobody prints it.
    return {
      bytes: sizeBytes > 0 && sizeBytes <= limits.textBytes ? await readFile(path) : Buffer.alloc(0),
      sizeBytes,
    };
  }
}

async function freeBytes(path: string): Promise<number> {
  const status = await statfs(path);
  return status.bavail * status.bsize;
}

async function requireRoom(path: string, minFreeBytes: number): Promise<void> {
  const free = await freeBytes(path);
  if (free >= minFreeBytes) return;
  throw new HomccError("ERR_HOMCC_STORE_FULL", `only ${free} bytes are free in the file system of ${path}`, {
    hint: `jobs start with ${minFreeBytes} or more`,
  });
}

/** Out of room while laying out a job is the server's state; anything else keeps its own words. */
export function asStoreError(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof HomccError || !("code" in error)) return error;
  if (error.code === "ENOSPC" || error.code === "EDQUOT") {
    return new HomccError("ERR_HOMCC_STORE_FULL", "no room to lay out the job's inputs", { cause: error });
  }
  return new HomccError("ERR_HOMCC_EXECUTOR", "the job's inputs could not be laid out", { cause: error });
}
