/**
 * `npm run demo`: compiles the example project twice in the same folder, with the plain compiler and through a homccd on
 * this machine that may not fall back, and compares every object. Ends with 1 unless all ran remotely and all are equal.
 */
import { spawn } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { globSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { JobRecord } from "../apps/homcc/src/job-log.ts";
import { startServer } from "../test/support/server.ts";

const root = join(import.meta.dirname, "..");
const homcc = join(root, "bin", "homcc");
const jobs = availableParallelism() * 2;

const folder = await mkdtemp(join(tmpdir(), "homcc-demo-"));
try {
  process.exitCode = (await demo()) ? 0 : 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function demo(): Promise<boolean> {
  const project = join(folder, "almanac");
  await cp(join(root, "examples", "almanac"), project, { recursive: true });
  console.log(`homcc demo: ${project}`);

  const localMs = await make(project, "g++", "gcc", process.env);
  await rename(join(project, "build"), join(folder, "local"));

  const log = join(folder, "jobs.jsonl");
  await using server = await startServer({ limit: jobs });
  const environment = {
    ...process.env,
    HOMCC_DIR: join(folder, "homcc"),
    HOMCC_HOSTS: `${server.address}/${jobs}`,
    HOMCC_NO_LOCAL_COMPILATION: "1",
    HOMCC_JOB_LOG: log,
    // The agent of this demo ends soon after it; seconds.
    HOMCC_AGENT_IDLE_TIME: "5",
  };
  await mkdir(environment.HOMCC_DIR);
  const coldMs = await make(project, `${homcc} g++`, `${homcc} gcc`, environment);
  const cold = await takeRecords(log);
  const identical = await compare(project, join(folder, "local"));
  await rm(join(project, "build"), { recursive: true });
  await rm(log);
  const warmMs = await make(project, `${homcc} g++`, `${homcc} gcc`, environment);
  return report({ localMs, coldMs, warmMs, cold, warm: await takeRecords(log), identical });
}

/** Builds all objects; resolves to the milliseconds it took. */
async function make(project: string, cxx: string, cc: string, environment: NodeJS.ProcessEnv): Promise<number> {
  const startedMs = performance.now();
  const child = spawn("make", ["-s", `-j${jobs}`, "objects", `CXX=${cxx}`, `CC=${cc}`], {
    cwd: project,
    env: environment,
    stdio: ["ignore", "inherit", "inherit"],
  });
  const status = await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (status !== 0) throw new Error(`make ended with ${String(status)}`);
  return performance.now() - startedMs;
}

async function takeRecords(path: string): Promise<JobRecord[]> {
  const text = await readFile(path, "utf8");
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by this program's own agent
  return text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line) as JobRecord);
}

interface Comparison {
  readonly files: number;
  readonly different: readonly string[];
}

async function compare(project: string, local: string): Promise<Comparison> {
  const files = globSync("**/*.{o,d}", { cwd: local });
  const different: string[] = [];
  for (const file of files) {
    const [ours, theirs] = await Promise.all([read(join(project, "build", file)), read(join(local, file))]);
    if (ours === undefined || theirs?.equals(ours) !== true) different.push(file);
  }
  return { files: files.filter((file) => file.endsWith(".o")).length, different };
}

async function read(path: string): Promise<Buffer | undefined> {
  return await readFile(path).catch(() => undefined);
}

interface Run {
  readonly localMs: number;
  readonly coldMs: number;
  readonly warmMs: number;
  readonly cold: readonly JobRecord[];
  readonly warm: readonly JobRecord[];
  readonly identical: Comparison;
}

function report({ localMs, coldMs, warmMs, cold, warm, identical }: Run): boolean {
  for (const folderName of new Set(cold.map(({ source }) => dirname(source)))) {
    const records = cold.filter(({ source }) => dirname(source) === folderName);
    const places = new Set(records.map(({ host, executor, outcome }) => `${outcome} on ${host} (${executor})`));
    console.log(`  ${folderName.padEnd(14)} ${String(records.length).padStart(3)} files  ${[...places].join(", ")}`);
  }
  const remote = cold.filter(({ outcome }) => outcome === "compiled-remotely").length;
  const differentObjects = identical.different.filter((file) => file.endsWith(".o")).length;
  for (const file of identical.different) console.log(`  different: ${file}`);
  console.log(`  g++ alone, ${jobs} at once: ${seconds(localMs)}`);
  console.log(`  through homcc, empty server: ${seconds(coldMs)}, ${bytes(cold)}`);
  console.log(`  through homcc, warm server:  ${seconds(warmMs)}, ${bytes(warm)}`);
  console.log(`  (client and server share this machine's ${availableParallelism()} CPUs)`);
  console.log(`remote: ${remote} of ${cold.length}`);
  console.log(`identical: ${identical.files - differentObjects} of ${identical.files}`);
  return remote === cold.length && remote === identical.files && identical.different.length === 0;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function bytes(records: readonly JobRecord[]): string {
  const kB = (count: number): string => `${(count / 1000).toFixed(0)} kB`;
  const sent = records.reduce((sum, { sentBytes }) => sum + sentBytes, 0);
  const received = records.reduce((sum, { receivedBytes }) => sum + receivedBytes, 0);
  return `${kB(sent)} up, ${kB(received)} down`;
}
