import type { LinkProfile } from "../link/thin-link-process.ts";
import type { BuildRun, Results } from "../results.ts";
import { centralEdits } from "../figures/central-edits.ts";
import { editInFullFarmRatio } from "../figures/edit-in-full-farm.ts";
import { failingCpuMs } from "../figures/failing-files.ts";
import { failingFiles, type Figures } from "../figures/goals.ts";
import { keptResults } from "../figures/kept-results.ts";
import { lzoRatio } from "../figures/lzo-ratio.ts";
import { scanMs } from "../figures/scan.ts";
import { wideHeaderUpBytes } from "../figures/wide-header.ts";
import type { Farm } from "./contender.ts";
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

const home: LinkProfile = { upMegabits: 10, downMegabits: 50, roundTripMs: 30 };
const slots = 64;

export interface BuildScope {
  readonly profiles: readonly LinkProfile[];
  readonly sources: number;
  readonly warmRounds: number;
  /** Sources that are compiled again after edits of the central header. */
  readonly editedSources: number;
  /** Sources that fail to compile. */
  readonly failingSources: number;
}

export const fullScope: BuildScope = {
  profiles,
  sources: sourceCount,
  warmRounds: 5,
  editedSources: 48,
  failingSources: failingFiles,
};

/** For some minutes: an eighth of the project, over one home's link and a LAN. */
export const quickScope: BuildScope = {
  profiles: profiles.filter(({ upMegabits }) => upMegabits === 10 || upMegabits === 1000),
  sources: 20,
  warmRounds: 1,
  editedSources: 6,
  failingSources: 50,
};

/** The whole project through each contender over each link. */
export async function thinLinkBuild(
  scope: BuildScope,
  compilerVersion: string,
  say: (line: string) => void,
): Promise<Pick<Results, "farm" | "local" | "runs" | "absent" | "figures">> {
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
    // The others' builds take minutes on thin links, beside which chance counts for little.
    const warmRounds = contender === homcc ? scope.warmRounds : 1;
    for (const profile of scope.profiles) {
      for (const run of await measureContender(contender, farm, profile, warmRounds)) {
        runs.push(run);
        say(describeRun(run));
      }
    }
  }
  const figures = await measureFigures(scope, farm, runs, say);
  return { farm: farm.facts, local: farm.local, runs, absent, figures };
}

/** What whole builds do not show, over the link of most homes. */
async function measureFigures(
  scope: BuildScope,
  farm: Farm,
  runs: readonly BuildRun[],
  say: (line: string) => void,
): Promise<Figures> {
  const ratio = await lzoRatio(farm, runs);
  const figures: Figures = {
    ...(ratio === undefined ? {} : { lzoRatio: ratio }),
    ...(await centralEdits(farm, scope.editedSources, home, say)),
    wideHeaderUpBytes: await wideHeaderUpBytes(farm, home),
    failingCpuMs: await failingCpuMs(farm, scope.failingSources, home),
    scanMs: await scanMs(farm),
    editInFullFarmRatio: await editInFullFarmRatio(farm, home),
    ...(await keptResults(farm, home, say)),
  };
  say(`figures: ${JSON.stringify(figures)}`);
  return figures;
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
