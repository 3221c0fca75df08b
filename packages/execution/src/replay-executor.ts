import { constants } from "node:fs";
import { access, readFile, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { Action, ActionResult, DeclaredOutput, OutputChange } from "@homcc/cas/action";
import { inputKind } from "@homcc/compiler/source-language";
import { HomccError } from "@homcc/observability/error";
import { checkActionPaths } from "./action-paths.ts";
import type { Executor, ExecutorSession } from "./executor.ts";
import { maxTimeoutMs } from "./job-limits.ts";
import { recordedFiles, recordKey } from "./replay-record.ts";
import { SessionJobs } from "./session-jobs.ts";

export interface ReplayExecutorOptions {
  /** Holds `KEY.o` and `KEY.ms` of every source that will be asked for. */
  readonly folder: string;
  /** Cut off the front of a client's source path before it becomes a key. */
  readonly root: string;
}

/**
 * Compiles nothing: a job takes as long as its recording did and answers with the recorded object, so that a farm of 64
 * slots fits on a laptop and everything around the compiler can be measured. Whether the inputs are those of the
 * recording is not looked at: for benchmarks, never for builds. Only the object is replayed; other outputs stay unwritten.
 */
export async function createReplayExecutor(options: ReplayExecutorOptions): Promise<Executor> {
  await requireFolder(options.folder);
  const recordings = new Recordings(options);
  return { name: "replay", openSession: () => Promise.resolve(new ReplaySession(recordings)) };
}

async function requireFolder(folder: string): Promise<void> {
  const hint = "replay_dir is a folder that homccd's account can read, with KEY.o and KEY.ms of each source";
  try {
    if (!(await stat(folder)).isDirectory()) throw new Error(`${folder} is no folder`);
    await access(folder, constants.R_OK | constants.X_OK);
  } catch (cause) {
    const message = `the folder of recorded results cannot be used: ${folder}`;
    throw new HomccError("ERR_HOMCC_CONFIGURATION", message, { hint, cause });
  }
}

class ReplaySession implements ExecutorSession {
  readonly #recordings: Recordings;
  readonly #jobs = new SessionJobs();

  constructor(recordings: Recordings) {
    this.#recordings = recordings;
  }

  async execute(action: Action, signal: AbortSignal): Promise<ActionResult> {
    checkActionPaths(action);
    return await this.#jobs.run((ended) => this.#replay(action, ended), signal);
  }

  async close(): Promise<void> {
    await this.#jobs.end(() => Promise.resolve());
  }

  async #replay(action: Action, signal: AbortSignal): Promise<ActionResult> {
    const source = sourceOf(action);
    const record = await this.#recordings.of(source);
    const limitMs = Math.min(action.timeoutMs, maxTimeoutMs);
    await wait(Math.min(record.compileMs, limitMs), undefined, { signal }).catch(() =>
      signal.throwIfAborted(),
    );
    const isOver = record.compileMs > limitMs;
    return {
      termination: isOver ? { kind: "timed-out" } : { kind: "exited", status: 0 },
      stdout: new Uint8Array(),
      stderr: new Uint8Array(),
      outputs: isOver ? [] : [written(objectOf(action), record, action.umask)],
      undeclared: [],
      usage: { wallMs: record.compileMs, cpuMs: 0, maxRssKiB: 0 },
      // The recording stays.
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }
}

/** The one source of the command: every action has one. */
function sourceOf(action: Action): string {
  const files = new Set(action.inputs.flatMap((input) => (input.kind === "file" ? [input.path] : [])));
  const words = action.steps[0]?.argv.slice(1) ?? [];
  const source = words
    .map((word) => resolve(action.cwd, word))
    .find((path) => files.has(path) && inputKind(path, undefined, anyReader).kind === "source");
  if (source === undefined)
    throw new HomccError("ERR_HOMCC_REFUSED", "the command names no source to replay");
  return source;
}

const anyReader = { family: "clang", cxxDriver: true } as const;

/** What `-o` names, else the first output that could be an object. */
function objectOf(action: Action): DeclaredOutput {
  const words = action.steps[0]?.argv ?? [];
  const named = resolve(action.cwd, words[words.lastIndexOf("-o") + 1] ?? "");
  const object =
    action.outputs.find(({ path }) => path === named) ??
    action.outputs.find(({ path }) => path.endsWith(".o"));
  if (object === undefined)
    throw new HomccError("ERR_HOMCC_REFUSED", "the command writes no object to replay");
  return object;
}

interface Recording {
  readonly object: string;
  readonly sizeBytes: number;
  readonly compileMs: number;
}

/** Sources whose times are remembered, 200 bytes each. */
const maxRemembered = 16_384;

/**
 * The recorded results. A time is read once: what is measured is the server, not the reading of recordings, which took
 * 0.2 ms of CPU a job. An object may be another one the next time.
 */
class Recordings {
  readonly #options: ReplayExecutorOptions;
  readonly #knownMs = new Map<string, number>();

  constructor(options: ReplayExecutorOptions) {
    this.#options = options;
  }

  /** Rejects with ERR_HOMCC_REFUSED when there is none. */
  async of(source: string): Promise<Recording> {
    const { folder, root } = this.#options;
    const key = recordKey(source, root);
    if (key === undefined) {
      throw new HomccError("ERR_HOMCC_REFUSED", `${source} does not lie below the replay root ${root}`);
    }
    const { object, time } = recordedFiles(folder, key);
    try {
      const [status, compileMs] = await Promise.all([stat(object), this.#knownMs.get(key) ?? readMs(time)]);
      if (this.#knownMs.size >= maxRemembered) this.#knownMs.clear();
      this.#knownMs.set(key, compileMs);
      return { object, sizeBytes: status.size, compileMs };
    } catch (cause) {
      const hint = `it needs ${key}.o and ${key}.ms in ${folder}`;
      throw new HomccError("ERR_HOMCC_REFUSED", `no recorded result for ${source}`, { hint, cause });
    }
  }
}

async function readMs(path: string): Promise<number> {
  const text = await readFile(path, "utf8");
  const compileMs = Number(text.trim() === "" ? Number.NaN : text);
  if (!Number.isFinite(compileMs) || compileMs < 0) throw new Error(`${path} holds no milliseconds`);
  return compileMs;
}

function written(output: DeclaredOutput, recording: Recording, umask: number): OutputChange {
  const { object: file, sizeBytes } = recording;
  return { kind: "written", path: output.path, file, sizeBytes, mode: output.mode ?? 0o666 & ~umask };
}
