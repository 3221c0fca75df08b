import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { recordedFiles, recordKey } from "@homcc/execution/replay-record";
import type { LinkProfile } from "../link/thin-link-process.ts";
import type { BuildRun } from "../results.ts";
import type { Contender, Farm, Site } from "./contender.ts";
import { build, type BuildOptions, buildNothing, objectName } from "./parallel-build.ts";

/** Once, where one build is like the other. Else builds cold, with servers that know nothing, and then warm `warmRounds` times; the median of those by wall counts. */
export async function measureContender(
  contender: Contender,
  farm: Farm,
  profile: LinkProfile,
  warmRounds: number,
): Promise<BuildRun[]> {
  await using site = await contender.start(farm, profile);
  if (!contender.learns) return [await measureBuild(contender.name, "each", site, farm, profile)];
  const cold = await measureBuild(contender.name, "cold", site, farm, profile);
  const warm: BuildRun[] = [];
  for (let round = 0; round < warmRounds; round += 1)
    warm.push(await measureBuild(contender.name, "warm", site, farm, profile));
  const median = warm.toSorted((a, b) => a.wallMs - b.wallMs)[Math.floor(warm.length / 2)];
  return median === undefined ? [cold] : [cold, median];
}

async function measureBuild(
  tool: string,
  phase: BuildRun["phase"],
  site: Site,
  farm: Farm,
  profile: LinkProfile,
): Promise<BuildRun> {
  const { prefix, environment, version } = site;
  const options = buildOptions(farm, environment);
  const before = {
    client: site.clientDaemonsMs(),
    server: site.serverDaemonsMs(),
    traffic: await site.traffic(),
  };
  const { wallMs, cpuMs } = await build({ ...options, prefix });
  const after = {
    client: site.clientDaemonsMs(),
    server: site.serverDaemonsMs(),
    traffic: await site.traffic(),
  };
  const nothing = await buildNothing(options);
  const files = farm.project.sources.length;
  const each = (total: number): number => total / files;
  const moved = (key: keyof typeof after.traffic): number => after.traffic[key] - before.traffic[key];
  return {
    tool,
    version,
    phase,
    link: profile,
    files,
    wallMs: Math.round(wallMs),
    launcherCpuMs: rounded(each(cpuMs - nothing.cpuMs)),
    daemonCpuMs: rounded(each(after.client - before.client)),
    serverCpuMs: rounded(each(after.server - before.server)),
    upBytes: moved("upBytes"),
    downBytes: moved("downBytes"),
    upWireBytes: moved("upWireBytes"),
    downWireBytes: moved("downWireBytes"),
    equalObjects: await countEqualObjects(farm, options),
  };
}

function buildOptions(farm: Farm, environment: BuildOptions["environment"]): Omit<BuildOptions, "prefix"> {
  return { project: farm.project, environment, jobs: farm.slots, objects: join(farm.folder, "objects") };
}

async function countEqualObjects(
  { project, recording }: Farm,
  options: { readonly objects: string },
): Promise<number> {
  let equal = 0;
  for (const source of project.sources) {
    const recorded = recordedFiles(recording, recordKey(source, project.root) ?? "").object;
    const built = join(options.objects, objectName(project, source));
    if ((await readFile(built)).equals(await readFile(recorded))) equal += 1;
  }
  return equal;
}

function rounded(ms: number): number {
  return Math.round(ms * 100) / 100;
}
