import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { recordedFiles, recordKey } from "@homcc/execution/replay-record";
import type { LinkProfile } from "../link/thin-link-process.ts";
import type { BuildRun } from "../results.ts";
import type { Contender, Farm, Site, Traffic } from "./contender.ts";
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
  const options = buildOptions(farm, site);
  const before = await countersOf(site);
  const { wallMs, cpuMs } = await build({ ...options, prefix: site.prefix });
  const after = await countersOf(site);
  const nothing = await buildNothing(options);
  const files = farm.project.sources.length;
  const each = (total: number): number => total / files;
  const moved = (key: keyof typeof after.traffic): number => after.traffic[key] - before.traffic[key];
  return {
    tool,
    version: site.version,
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
    ...(after.compiles === undefined ? {} : { atHome: files - (after.compiles - (before.compiles ?? 0)) }),
  };
}

interface Counters {
  readonly client: number;
  readonly server: number;
  readonly traffic: Traffic;
  readonly compiles: number | undefined;
}

async function countersOf(site: Site): Promise<Counters> {
  return {
    client: site.clientDaemonsMs(),
    server: site.serverDaemonsMs(),
    traffic: await site.traffic(),
    compiles: await site.remoteCompiles?.(),
  };
}

function buildOptions(farm: Farm, { environment, place = [] }: Site): Omit<BuildOptions, "prefix"> {
  const objects = join(farm.folder, "objects");
  return { project: farm.project, place, environment, jobs: farm.slots, objects };
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
