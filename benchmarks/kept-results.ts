/**
 * What results of earlier jobs are worth over a thin link: the library of `npm run bench`, 64 files at once.
 *
 *     node benchmarks/kept-results.ts [SOURCES]
 *
 * - *back to a branch, offline*: every file was written anew since, as `git switch` does there and back, and there is no server.
 *   The agent's own store answers.
 * - *second developer*: an agent that knows nothing, and a server that has all results. Beside the wall time is what the link
 *   takes for the bytes that crossed it; the ratio is what is to be small.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { recordedFiles, recordKey } from "@homcc/execution/replay-record";
import { agentsOf } from "../test/support/processes.ts";
import { homccProgram } from "../test/support/repository.ts";
import { type Server, startServer } from "../test/support/server.ts";
import { waitFor } from "../test/support/wait-for.ts";
import { createWorkplace, type Workplace } from "../test/support/workplace.ts";
import { trafficOf } from "./build/link-traffic.ts";
import { type PreparedFarm, prepareFarm } from "./build/farm.ts";
import { build, type BuildTime, objectName } from "./build/parallel-build.ts";
import { processTimeMs } from "./build/process-time.ts";
import { generateProject, sourceCount } from "./build/project.ts";
import { type LinkProfile, startThinLink } from "./link/thin-link-process.ts";

const jobs = 64;
const profile: LinkProfile = { upMegabits: 10, downMegabits: 50, roundTripMs: 30 };
const sources = Number(process.argv[2] ?? sourceCount);
const compilerVersion = execFileSync("g++", ["--version"], { encoding: "utf8" }).split("\n")[0] ?? "";
await using farm = await prepareFarm(sources, jobs, compilerVersion, (line) => console.error(line));

const server = await startReplay(farm);
{
  await using _server = server;
  await using link = await startThinLink(server.address, profile);
  const hosts = `127.0.0.1:${link.port}/${jobs}`;
  await using first = await createWorkplace({ parent: farm.folder, hosts });
  await buildIn(first, "1G", "compiled-remotely");
  await waitFor("all results to be kept", async () => (await keptAtHome(first)) >= sources || undefined);
  await waitFor("all results to be kept there", async () => (await keptThere()) >= sources || undefined);

  await using second = await createWorkplace({ parent: farm.folder, hosts });
  const before = await trafficOf(link);
  const fresh = await buildIn(second, "0", "result-from-server");
  const after = await trafficOf(link);
  const upMs = (after.upWireBytes - before.upWireBytes) / (profile.upMegabits * 125);
  const downMs = (after.downWireBytes - before.downWireBytes) / (profile.downMegabits * 125);
  const linkMs = Math.max(upMs, downMs);
  print(
    "second developer",
    fresh,
    `up ${ms(upMs)}, down ${ms(downMs)} of the link: ${(fresh.wallMs / linkMs).toFixed(2)}`,
  );

  await server.stop();
  await generateProject(farm.project.root, sources);
  const offline = await buildIn(first, "1G", "result-from-home");
  print("back to a branch, offline", offline, "0 bytes");
}

async function startReplay({ recording, project }: PreparedFarm): Promise<Server> {
  const replay = ["--executor", "replay", "--replay-dir", recording, "--replay-root", project.root];
  return await startServer({ limit: jobs, options: replay, resultCache: true });
}

interface Measured extends BuildTime {
  readonly agentMs: number;
  readonly serverMs: number;
}

/** Every object is the recorded one, and comes from where it should. */
async function buildIn(place: Workplace, clientCacheSize: string, outcome: string): Promise<Measured> {
  const { project } = farm;
  const objects = join(farm.folder, "objects");
  const environment = place.environment({ HOMCC_CLIENT_CACHE_SIZE: clientCacheSize });
  const known = (await place.jobs()).length;
  const before = { agentMs: agentTimeMs(place), serverMs: processTimeMs(server.pid) };
  const time = await build({ project, prefix: [homccProgram], environment, jobs, objects });
  const agentMs = agentTimeMs(place) - before.agentMs;
  const serverMs = Math.max(0, processTimeMs(server.pid) - before.serverMs);
  const records = (await place.jobs(known + sources)).slice(known);
  assert.deepEqual(new Set(records.map((record) => record.outcome)), new Set([outcome]));
  for (const source of project.sources) {
    const { object } = recordedFiles(farm.recording, recordKey(source, project.root) ?? "");
    const made = await readFile(join(objects, objectName(project, source)));
    assert.ok(made.equals(await readFile(object)), source);
  }
  return { ...time, agentMs, serverMs };
}

function agentTimeMs({ homccFolder }: Workplace): number {
  return agentsOf(homccFolder).reduce((sum, { pid }) => sum + processTimeMs(pid), 0);
}

async function keptAtHome({ homccFolder }: Workplace): Promise<number> {
  return await lines(join(homccFolder, "agent/results/index"));
}

/** One line for the result and one for other folders. */
async function keptThere(): Promise<number> {
  return (await lines(join(server.storeFolder, "result-index"))) / 2;
}

async function lines(file: string): Promise<number> {
  const text = await readFile(file, "utf8").catch(() => "");
  return text.split("\n").length - 1;
}

function print(what: string, { wallMs, cpuMs, agentMs, serverMs }: Measured, more: string): void {
  const [launcher, agent, homccd] = [cpuMs, agentMs, serverMs].map((each) => (each / sources).toFixed(1));
  const cpu = `ms CPU per file: launcher ${launcher}, agent ${agent}, homccd ${homccd}`;
  console.log(`${what}: ${sources} files, ${ms(wallMs)}; ${more}; ${cpu}`);
}

function ms(value: number): string {
  return `${(value / 1000).toFixed(2)} s`;
}
