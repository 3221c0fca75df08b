import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { recordKey } from "@homcc/execution/replay-record";
import type { GeneratedProject } from "./project.ts";
import { waitedChildrenMs } from "./process-time.ts";

/** Exit status of xargs when a command ended with 1 to 125. */
const someFailed = 123;

export interface BuildOptions {
  readonly project: GeneratedProject;
  /** Words before the whole build. */
  readonly place?: readonly string[];
  /** Words before the compiler. */
  readonly prefix: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Compiles at once. */
  readonly jobs: number;
  /** Gets the objects. */
  readonly objects: string;
  /** Those of an earlier build stay, as after an edit; else they are removed first and the folder stays: `make clean`. */
  readonly keepObjects?: boolean;
  /** Every compile fails: no object is expected. */
  readonly expected?: "failures";
}

export interface BuildTime {
  readonly wallMs: number;
  /** Of everything the build waited for, and that waited for in turn: launchers, preprocessors, compilers. */
  readonly cpuMs: number;
  /** What all commands wrote there. */
  readonly stderr: string;
}

/** Name of a source's object below the build's folder. */
export function objectName(project: GeneratedProject, source: string): string {
  return `${recordKey(source, project.root) ?? ""}.o`;
}

/** `make -j` without make: xargs starts the commands in order, and costs next to nothing itself. */
export async function build(options: BuildOptions): Promise<BuildTime> {
  const objects = options.project.sources.map((source) =>
    join(options.objects, objectName(options.project, source)),
  );
  if (options.keepObjects !== true) for (const object of objects) await rm(object, { force: true });
  return await runAll([...options.prefix, ...options.project.compiler], options);
}

/** What starting so many processes that do nothing costs: it is in all other figures. */
export async function buildNothing(options: Omit<BuildOptions, "prefix">): Promise<BuildTime> {
  return await runAll(["true", ...options.project.compiler], options);
}

async function runAll(command: readonly string[], options: Omit<BuildOptions, "prefix">): Promise<BuildTime> {
  const { project, objects, jobs, environment, place = [], expected } = options;
  await mkdir(objects, { recursive: true });
  const list = `${objects}.commands`;
  const lines = project.sources.map(
    (source) => `-c ${source} -o ${join(objects, objectName(project, source))}\n`,
  );
  await writeFile(list, lines.join(""));
  const cpuBeforeMs = waitedChildrenMs();
  const startMs = performance.now();
  const xargs = ["xargs", "-a", list, "-L", "1", "-P", String(jobs)];
  const [program = "", ...words] = [...place, ...xargs, ...command];
  const child = spawn(program, words, {
    cwd: project.root,
    env: { ...environment },
    stdio: ["ignore", "inherit", "pipe"],
  });
  const [stderr, [status]] = await Promise.all([text(child.stderr), once(child, "close")]);
  const wallMs = performance.now() - startMs;
  if (status !== (expected === "failures" ? someFailed : 0))
    throw new Error(`the build ended with ${String(status)}: ${stderr.slice(0, 4000)}`);
  return { wallMs, cpuMs: waitedChildrenMs() - cpuBeforeMs, stderr };
}
