import { execFile } from "node:child_process";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { recordedFiles, recordKey } from "@homcc/execution/replay-record";

export interface RecordingOptions {
  /** Gets `KEY.o` and `KEY.ms` of each source. */
  readonly folder: string;
  /** The project's folder: what is cut off the sources' paths. */
  readonly root: string;
  /** Absolute paths below `root`. */
  readonly sources: readonly string[];
  /** Compiler and options; `-c SOURCE -o OBJECT` follow. */
  readonly compiler: readonly string[];
  /** Compilers at once. */
  readonly jobs: number;
}

/**
 * Compiles each source with the plain compiler. Recorded is the processor's time of compiler and assembler, not the
 * clock's: they have one thread, and a machine that does other things meanwhile records the same. Returns the
 * milliseconds in the order of the sources.
 */
export async function record(options: RecordingOptions): Promise<number[]> {
  await mkdir(options.folder, { recursive: true });
  await chmod(options.folder, 0o755); // A homccd that was started as root reads it as another user.
  const times: number[] = [];
  const queue = options.sources.entries();
  const worker = async (): Promise<void> => {
    for (const [index, source] of queue) times[index] = await recordOne(source, options);
  };
  await Promise.all(Array.from({ length: options.jobs }, worker));
  return times;
}

async function recordOne(source: string, { folder, root, compiler }: RecordingOptions): Promise<number> {
  const key = recordKey(source, root);
  if (key === undefined) throw new Error(`${source} does not lie below ${root}`);
  const { object, time } = recordedFiles(folder, key);
  const command = [...compiler, "-c", source, "-o", object];
  const { stdout } = await promisify(execFile)("sh", ["-c", '"$@" && times', "sh", ...command], {
    cwd: root,
  });
  const ms = childrenMs(stdout);
  await writeFile(time, `${ms}\n`);
  return ms;
}

/** User and system time in the second line of what the shell's `times` prints: that of its children. */
export function childrenMs(printed: string): number {
  const line = printed.trimEnd().split("\n").at(-1) ?? "";
  const times = Array.from(line.matchAll(/(\d+)m(\d+(?:\.\d+)?)s/g), ([, minutes, seconds]) => {
    return (Number(minutes) * 60 + Number(seconds)) * 1000;
  });
  const [user, system] = times;
  if (user === undefined || system === undefined) throw new Error(`no times in ${JSON.stringify(printed)}`);
  return Math.round(user + system);
}
