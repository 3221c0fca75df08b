import type { BuildRun, Results } from "../results.ts";

/** What homcc has promised itself: the figure, what it must be and what is aimed at. Less is better for each. */
export interface Goal {
  readonly what: string;
  readonly unit: "ms" | "s" | "B" | "MB" | "×";
  readonly must: number;
  readonly aim: number;
  /** `undefined` where the run has not measured it. */
  readonly measured: (results: Results) => number | undefined;
}

/** Figures that parts of the benchmark measure by themselves; the others are made of the builds and the parts. */
export interface Figures {
  readonly scanMs?: number;
  readonly lzoRatio?: number;
  readonly commentEditRatio?: number;
  readonly bodyEditRatio?: number;
  readonly memberEditRatio?: number;
  readonly touchDownBytes?: number;
  readonly wideHeaderUpBytes?: number;
  readonly failingCpuMs?: number;
  readonly branchReturnMs?: number;
  readonly secondDeveloperRatio?: number;
  readonly editInFullFarmRatio?: number;
}

type FigureName = keyof Figures;

/** Files of the row about failures, whatever the run has compiled. */
export const failingFiles = 500;

const edited = "central header edited, bytes down against a clean build";

/** What the walls' goals take for the compiles alone, in list order on 64 slots, the longest of 3.2 s. */
export const goalIdealMs = 3960;

const walls = {
  "10/50": [5.5, 4.5],
  "5/25": [7, 6],
  "20/100": [5, 4.5],
  "40/200": [5, 4.5],
  "1000/1000": [5, 4.5],
} as const;
const warmWalls = Object.entries(walls).map(([link, mustAndAim]) =>
  goal(`warm build over ${link} Mbit/s, wall`, "s", mustAndAim, (results) =>
    of(results, link, "warm", (run) => run.wallMs / 1000),
  ),
);

/** The results' table, in this order. Walls are of inputs that the servers know. */
export const goals: readonly Goal[] = [
  goal("client CPU a file, warm, launcher and agent", "ms", [4, 2], (results) =>
    ofHome(results, "warm", (run) => run.launcherCpuMs + run.daemonCpuMs),
  ),
  goal("launcher alone, wall, beyond an empty command", "ms", [2, 1], launcherMs),
  goal("scan of a file whose headers are known", "ms", [1.2, 0.6], as("scanMs")),
  goal("bytes up a warm job", "B", [600, 300], (results) =>
    ofHome(results, "warm", (run) => run.upBytes / run.files),
  ),
  goal("first build on an empty server, bytes up", "MB", [1.6, 1.2], (results) =>
    ofHome(results, "cold", (run) => run.upBytes / 1e6),
  ),
  goal("clean build, bytes down against lzo of each object", "×", [0.58, 0.5], as("lzoRatio")),
  goal(`${edited}: comment`, "×", [0.03, 0.01], as("commentEditRatio")),
  goal(`${edited}: body of an inline function`, "×", [0.12, 0.08], as("bodyEditRatio")),
  goal(`${edited}: new data member`, "×", [0.3, 0.2], as("memberEditRatio")),
  goal("back on a branch, offline, wall", "s", [3, 1.5], as("branchReturnMs", 1000)),
  goal(`${failingFiles} files that fail to compile, client CPU`, "s", [3, 2], as("failingCpuMs", 1000)),
  goal("one edited file while the farm is full against idle (p95)", "×", [2, 1.5], as("editInFullFarmRatio")),
  goal("one-line edit of a header of 200 kB, bytes up", "B", [600, 200], as("wideHeaderUpBytes")),
  goal("rebuild that changes nothing (touch), bytes down a job", "B", [400, 150], as("touchDownBytes")),
  ...warmWalls,
  goal("homccd's own CPU a job, warm", "ms", [8, 4], (results) =>
    ofHome(results, "warm", (run) => run.serverCpuMs),
  ),
  goal("second developer, wall against bytes ÷ bandwidth", "×", [1.5, 1.15], as("secondDeveloperRatio")),
];

function goal(
  what: string,
  unit: Goal["unit"],
  [must, aim]: readonly [number, number],
  measured: Goal["measured"],
): Goal {
  return { what, unit, must, aim, measured };
}

function as(name: FigureName, divisor = 1): Goal["measured"] {
  return ({ figures }) => {
    const value = figures?.[name];
    return value === undefined ? undefined : value / divisor;
  };
}

function launcherMs({ micro }: Results): number | undefined {
  return micro.find(({ name }) => name.startsWith("launcher:"))?.median;
}

/** Of homcc's build over the link of most homes. */
function ofHome(
  results: Results,
  phase: BuildRun["phase"],
  measure: (run: BuildRun) => number,
): number | undefined {
  return of(results, "10/50", phase, measure);
}

function of(
  { runs }: Results,
  link: string,
  phase: BuildRun["phase"],
  measure: (run: BuildRun) => number,
): number | undefined {
  const run = runs.find(
    (one) =>
      one.tool === "homcc" &&
      one.phase === phase &&
      `${one.link.upMegabits}/${one.link.downMegabits}` === link,
  );
  return run === undefined ? undefined : measure(run);
}
