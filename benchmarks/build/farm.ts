import { createHash } from "node:crypto";
import { chmod, mkdir, mkdtemp, readFile, stat, writeFile } from "node:fs/promises";
import { availableParallelism, tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { recordedFiles, recordKey } from "@homcc/execution/replay-record";
import { removeFolder } from "../../test/support/remove-folder.ts";
import type { FarmFacts, LocalBuild } from "../results.ts";
import type { Farm } from "./contender.ts";
import { generateProject, type GeneratedProject, projectFiles } from "./project.ts";
import { record } from "./recording.ts";

export interface PreparedFarm extends Farm, AsyncDisposable {
  readonly facts: FarmFacts;
  readonly local: LocalBuild;
}

/** The project is written and its compiles are recorded, once for each text of the project and each compiler. */
export async function prepareFarm(
  sources: number,
  slots: number,
  compilerVersion: string,
  say: (line: string) => void,
): Promise<PreparedFarm> {
  const digest = createHash("sha256").update(JSON.stringify([[...projectFiles()], sources, compilerVersion]));
  // A path that stays, since it is in the objects; not in a home, which the servers' accounts may not enter.
  const folder = join(tmpdir(), `homcc-bench-${userInfo().username}`, digest.digest("hex").slice(0, 12));
  await makeOwnFolder(join(folder, ".."));
  await makeOwnFolder(folder);
  const project = await generateProject(join(folder, "quarry"), sources);
  const recording = join(folder, "recording");
  const local = await recorded(project, recording, say);
  // Of this run alone: somebody may measure beside us.
  const run = await mkdtemp(join(folder, "run-"));
  await chmod(run, 0o755);
  return {
    project,
    recording,
    slots,
    folder: run,
    [Symbol.asyncDispose]: () => removeFolder(run),
    local: { wallMs: local.wallMs, cpuMs: sum(local.times) },
    facts: {
      slots,
      sources: project.sources.length,
      headers: [...projectFiles().keys()].filter((path) => path.endsWith(".h")).length,
      compileMs: sum(local.times),
      longestMs: Math.max(...local.times),
      idealMs: inListOrder(local.times, slots),
      objectBytes: await objectBytes(project, recording),
    },
  };
}

/** Readable for all; somebody else's in a shared folder is refused. */
async function makeOwnFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true });
  if ((await stat(path)).uid !== process.getuid?.()) throw new Error(`${path} belongs to somebody else`);
  await chmod(path, 0o755);
}

interface LocalTimes {
  readonly wallMs: number;
  readonly times: readonly number[];
}

async function recorded(
  project: GeneratedProject,
  recording: string,
  say: (line: string) => void,
): Promise<LocalTimes> {
  const file = `${recording}.json`;
  const known = await readFile(file, "utf8").catch(() => undefined);
  if (known !== undefined) {
    const times: LocalTimes = JSON.parse(known);
    return times;
  }
  say(`compiling ${project.sources.length} sources here, to record them`);
  const { root, sources, compiler } = project;
  const startMs = performance.now();
  const times = await record({ folder: recording, root, sources, compiler, jobs: availableParallelism() });
  const local: LocalTimes = { wallMs: Math.round(performance.now() - startMs), times };
  await writeFile(file, JSON.stringify(local));
  return local;
}

/** The end of the last of these compiles, each of which starts on the first slot that is free. */
export function inListOrder(times: readonly number[], slots: number): number {
  const free = Array.from({ length: slots }, () => 0);
  for (const ms of times) {
    const first = free.indexOf(Math.min(...free));
    free[first] = (free[first] ?? 0) + ms;
  }
  return Math.max(...free);
}

async function objectBytes(project: GeneratedProject, recording: string): Promise<number> {
  const sizes = project.sources.map(async (source) => {
    const key = recordKey(source, project.root) ?? "";
    return (await stat(recordedFiles(recording, key).object)).size;
  });
  return sum(await Promise.all(sizes));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
