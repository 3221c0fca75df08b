import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { recordedFiles, recordKey } from "@homcc/execution/replay-record";
import { agentsOf } from "../../test/support/processes.ts";
import { homccProgram } from "../../test/support/repository.ts";
import { type Server, startServer } from "../../test/support/server.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import { createWorkplace, type Workplace } from "../../test/support/workplace.ts";
import { trafficOf } from "../build/link-traffic.ts";
import type { Farm } from "../build/contender.ts";
import { build, type BuildTime, objectName } from "../build/parallel-build.ts";
import { processTimeMs } from "../build/process-time.ts";
import { generateProject } from "../build/project.ts";
import { type LinkProfile, startThinLink } from "../link/thin-link-process.ts";
import type { Figures } from "./goals.ts";

/**
 * What results of earlier jobs are worth over a thin link, as many files at once as the farm has slots.
 *
 * - *back to a branch, offline*: every file was written anew since, as `git switch` does there and back, and there is no server.
 *   The agent's own store answers.
 * - *second developer*: an agent that knows nothing, and a server that has all results: the wall time over what the link
 *   takes for the bytes that crossed it.
 */
export async function keptResults(
  farm: Farm,
  profile: LinkProfile,
  say: (line: string) => void,
): Promise<Pick<Figures, "branchReturnMs" | "secondDeveloperRatio">> {
  const { project, slots } = farm;
  const sources = project.sources.length;
  // Other parts have edited it.
  await generateProject(project.root, sources);
  await using server = await startReplay(farm);
  await using link = await startThinLink(server.address, profile);
  const hosts = `127.0.0.1:${link.port}/${slots}`;
  await using first = await createWorkplace({ parent: farm.folder, hosts });
  await buildIn(farm, server, first, "1G", "compiled-remotely");
  await waitFor("all results to be kept", async () => (await keptAtHome(first)) >= sources || undefined);
  await waitFor("all results to be kept there", async () => (await keptBy(server)) >= sources || undefined);

  await using second = await createWorkplace({ parent: farm.folder, hosts });
  const before = await trafficOf(link);
  const fresh = await buildIn(farm, server, second, "0", "result-from-server");
  const after = await trafficOf(link);
  const upMs = (after.upWireBytes - before.upWireBytes) / (profile.upMegabits * 125);
  const downMs = (after.downWireBytes - before.downWireBytes) / (profile.downMegabits * 125);
  const linkMs = Math.max(upMs, downMs);
  say(describe(`second developer, ${seconds(linkMs)} of the link`, sources, fresh));

  await server.stop();
  await generateProject(project.root, sources);
  const offline = await buildIn(farm, server, first, "1G", "result-from-home");
  say(describe("back to a branch, offline", sources, offline));
  return { branchReturnMs: offline.wallMs, secondDeveloperRatio: fresh.wallMs / linkMs };
}

async function startReplay({ recording, project, slots }: Farm): Promise<Server & AsyncDisposable> {
  const replay = ["--executor", "replay", "--replay-dir", recording, "--replay-root", project.root];
  return await startServer({ limit: slots, options: replay, resultCache: true });
}

interface Measured extends BuildTime {
  readonly agentMs: number;
  readonly serverMs: number;
}

/** Every object is the recorded one, and comes from where it should. */
async function buildIn(
  farm: Farm,
  server: Server,
  place: Workplace,
  clientCacheSize: string,
  outcome: string,
): Promise<Measured> {
  const { project, slots } = farm;
  const objects = join(farm.folder, "objects");
  const environment = place.environment({ HOMCC_CLIENT_CACHE_SIZE: clientCacheSize });
  const known = (await place.jobs()).length;
  const before = { agentMs: agentTimeMs(place), serverMs: processTimeMs(server.pid) };
  const time = await build({ project, prefix: [homccProgram], environment, jobs: slots, objects });
  const agentMs = agentTimeMs(place) - before.agentMs;
  const serverMs = Math.max(0, processTimeMs(server.pid) - before.serverMs);
  const records = (await place.jobs(known + project.sources.length)).slice(known);
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
async function keptBy(server: Server): Promise<number> {
  return (await lines(join(server.storeFolder, "result-index"))) / 2;
}

async function lines(file: string): Promise<number> {
  const text = await readFile(file, "utf8").catch(() => "");
  return text.split("\n").length - 1;
}

function describe(what: string, sources: number, { wallMs, cpuMs, agentMs, serverMs }: Measured): string {
  const [launcher, agent, homccd] = [cpuMs, agentMs, serverMs].map((each) => (each / sources).toFixed(1));
  return `${what}: ${seconds(wallMs)}; ms CPU per file: launcher ${launcher}, agent ${agent}, homccd ${homccd}`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}
