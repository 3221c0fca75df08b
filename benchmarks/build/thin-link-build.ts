import type { LinkProfile } from "../link/thin-link-process.ts";
import type { BuildRun, Results } from "../results.ts";
import { distcc } from "./distcc-contender.ts";
import { prepareFarm } from "./farm.ts";
import { homcc } from "./homcc-contender.ts";
import { icecream } from "./icecream-contender.ts";
import { measureContender } from "./measure.ts";
import { sourceCount } from "./project.ts";

/** The office over DSL, cable and fibre, and in the same building. */
export const profiles: readonly LinkProfile[] = [
  { upMegabits: 5, downMegabits: 25, roundTripMs: 30 },
  { upMegabits: 10, downMegabits: 50, roundTripMs: 30 },
  { upMegabits: 20, downMegabits: 100, roundTripMs: 30 },
  { upMegabits: 40, downMegabits: 200, roundTripMs: 30 },
  { upMegabits: 1000, downMegabits: 1000, roundTripMs: 1 },
];

const slots = 64;

export interface BuildScope {
  readonly profiles: readonly LinkProfile[];
  readonly sources: number;
  readonly warmRounds: number;
}

export const fullScope: BuildScope = { profiles, sources: sourceCount, warmRounds: 3 };

/** For two minutes: an eighth of the project, over one home's link and a LAN. */
export const quickScope: BuildScope = {
  profiles: profiles.filter(({ upMegabits }) => upMegabits === 10 || upMegabits === 1000),
  sources: 20,
  warmRounds: 1,
};

/** The whole project through each contender over each link. */
export async function thinLinkBuild(
  scope: BuildScope,
  compilerVersion: string,
  say: (line: string) => void,
): Promise<Pick<Results, "farm" | "local" | "runs" | "absent">> {
  await using farm = await prepareFarm(scope.sources, slots, compilerVersion, say);
  const runs: BuildRun[] = [];
  const absent: { tool: string; why: string }[] = [];
  for (const contender of [homcc, distcc, icecream]) {
    const why = contender.missing();
    if (why !== undefined) {
      absent.push({ tool: contender.name, why });
      say(`${contender.name}: ${why}`);
      continue;
    }
    for (const profile of scope.profiles) {
      for (const run of await measureContender(contender, farm, profile, scope.warmRounds)) {
        runs.push(run);
        say(describeRun(run));
      }
    }
  }
  return { farm: farm.facts, local: farm.local, runs, absent };
}

function describeRun({
  tool,
  phase,
  link,
  wallMs,
  launcherCpuMs,
  daemonCpuMs,
  upBytes,
  files,
}: BuildRun): string {
  const cpuMs = (launcherCpuMs + daemonCpuMs).toFixed(1);
  const up = Math.round(upBytes / files);
  return `${tool} ${phase} ${link.upMegabits}/${link.downMegabits}: ${(wallMs / 1000).toFixed(1)} s, ${cpuMs} ms CPU and ${up} bytes up per file`;
}
