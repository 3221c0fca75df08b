/**
 * `npm run demo`: compiles the example project with the plain compiler and, in the same folder, through a homccd on this
 * machine that may not fall back, and compares every object. Ends with 1 unless all ran remotely and all are equal.
 * Needs no more than a compiler: the commands are those of the project's Makefile.
 */
import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { cp, mkdir, readFile, rename, rm } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import type { JobRecord } from "@homcc/homcc/records/job-log";
import { homccProgram, repository } from "../test/support/repository.ts";
import { startServer } from "../test/support/server.ts";
import { createWorkplace, type Workplace } from "../test/support/workplace.ts";

const jobs = availableParallelism() * 2;
const flags = ["-Wall", "-Wextra", "-Wpedantic", "-Iinclude", "-Igenerated", "-MMD", "-MP", "-O2", "-g"];

process.exitCode = (await demo()) ? 0 : 1;

async function demo(): Promise<boolean> {
  await using server = await startServer({ limit: jobs });
  await using workplace = await createWorkplace({ hosts: `${server.address}/${jobs}` });
  await cp(join(repository, "examples/almanac"), workplace.project, { recursive: true });
  const sources = globSync("src/**/*.{c,cpp}", { cwd: workplace.project }).sort();
  console.log(`homcc demo: ${sources.length} files of examples/almanac, homccd on ${server.address}`);

  const localMs = await build(workplace, sources, []);
  const local = join(workplace.folder, "local");
  await rename(join(workplace.project, "build"), local);
  const coldMs = await build(workplace, sources, [homccProgram]);
  const cold = await workplace.jobs(sources.length);
  const different = await findDifferences(join(workplace.project, "build"), local);
  await rm(join(workplace.project, "build"), { recursive: true });
  const warmMs = await build(workplace, sources, [homccProgram]);
  const warm = (await workplace.jobs(2 * sources.length)).slice(sources.length);
  return report({
    sources,
    different,
    local: localMs,
    cold: { ms: coldMs, records: cold },
    warm: { ms: warmMs, records: warm },
  });
}

/** Compiles all sources, `jobs` at once, into `build/`; resolves to the milliseconds it took. */
async function build(
  workplace: Workplace,
  sources: readonly string[],
  prefix: readonly string[],
): Promise<number> {
  for (const folder of new Set(sources.map((source) => dirname(source)))) {
    await mkdir(join(workplace.project, "build", folder), { recursive: true });
  }
  const startedMs = performance.now();
  const waiting = [...sources];
  const work = async (): Promise<void> => {
    for (let source = waiting.shift(); source !== undefined; source = waiting.shift()) {
      const compiler = source.endsWith(".c") ? ["gcc", "-std=c11"] : ["g++", "-std=c++17"];
      const command = [...prefix, ...compiler, ...flags, "-c", source, "-o", `build/${source}.o`];
      const { status, stderr } = await workplace.run(command);
      assert.equal(status, 0, `${command.join(" ")} ended with ${status}: ${stderr}`);
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  return performance.now() - startedMs;
}

/** Names of the files of `expected`, objects and dependency files, that are not the same in `actual`. */
async function findDifferences(actual: string, expected: string): Promise<string[]> {
  const different: string[] = [];
  for (const name of globSync("**/*.{o,d}", { cwd: expected })) {
    const [ours, theirs] = await Promise.all(
      [actual, expected].map((folder) => readFile(join(folder, name))),
    );
    if (ours === undefined || theirs === undefined || !ours.equals(theirs)) different.push(name);
  }
  return different;
}

interface RemoteBuild {
  readonly ms: number;
  readonly records: readonly JobRecord[];
}

interface Result {
  readonly sources: readonly string[];
  readonly different: readonly string[];
  /** Milliseconds of the build with the plain compiler. */
  readonly local: number;
  readonly cold: RemoteBuild;
  readonly warm: RemoteBuild;
}

function report({ sources, different, local, cold, warm }: Result): boolean {
  for (const folder of new Set(sources.map((source) => dirname(source)))) {
    const records = cold.records.filter(({ source }) => dirname(source) === folder);
    const places = new Set(
      records.map(({ host, executor, outcome }) => `${outcome} on ${host} (${executor})`),
    );
    console.log(
      `  ${folder.padEnd(14)} ${String(records.length).padStart(3)} files  ${[...places].join(", ")}`,
    );
  }
  for (const name of different) console.log(`  different: ${name}`);
  console.log(`  g++ alone, ${jobs} at once:     ${seconds(local)}`);
  console.log(`  through homcc, empty server: ${seconds(cold.ms)}, ${traffic(cold.records)}`);
  console.log(`  through homcc, warm server:  ${seconds(warm.ms)}, ${traffic(warm.records)}`);
  console.log(`  (client and server share this machine's ${availableParallelism()} CPUs)`);
  const remote = cold.records.filter(({ outcome }) => outcome === "compiled-remotely").length;
  const identical = sources.filter((source) => !different.includes(`${source}.o`)).length;
  console.log(`remote: ${remote} of ${sources.length}`);
  console.log(`identical: ${identical} of ${sources.length}`);
  return remote === sources.length && different.length === 0;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function traffic(records: readonly JobRecord[]): string {
  const sum = (of: (record: JobRecord) => number): string =>
    `${(records.reduce((total, record) => total + of(record), 0) / 1000).toFixed(0)} kB`;
  return `${sum(({ sentBytes }) => sentBytes)} up, ${sum(({ receivedBytes }) => receivedBytes)} down`;
}
