import type { BuildRun, Results } from "../results.ts";
import { megabytes, seconds } from "./tables.ts";

const begin = "<!-- Made from benchmarks/results/results.json by benchmarks/report.ts: do not edit. -->";
const end = "<!-- End of the measured section. -->";

/** The README with its measured section as the results have it. */
export function withMeasuredSection(readme: string, results: Results): string {
  const from = readme.indexOf(begin);
  const to = readme.indexOf(end);
  if (from < 0 || to < from) throw new Error("README.md has no measured section");
  return `${readme.slice(0, from + begin.length)}\n\n${renderSection(results)}\n\n${readme.slice(to)}`;
}

function renderSection(results: Results): string {
  const { farm, machine, runs } = results;
  const links = [...new Set(runs.map(linkOf))];
  const rows = [...new Set(runs.map(({ tool, phase }) => `${tool}, ${phase}`))].map((name) => {
    const own = runs.filter(({ tool, phase }) => `${tool}, ${phase}` === name);
    const walls = links.map((link) => {
      const run = own.find((one) => linkOf(one) === link);
      return run === undefined ? "–" : seconds(run.wallMs);
    });
    // The link of most homes.
    const home = own.find((run) => linkOf(run) === "10/50") ?? own[0];
    return [name, ...walls, ...(home === undefined ? ["–", "–"] : homeCells(home))];
  });
  return [
    `${farm.sources} generated C++17 files on ${farm.slots} slots at the other end of an emulated link; here alone, on ${machine.cores} cores, they take ${seconds(farm.compileMs / machine.cores)} at best.`,
    `Their compiles are replayed as they were recorded (${seconds(farm.idealMs)} with nothing around them), and everything else is real, on the same ${machine.cores} cores, which had a load of ${machine.load} from other work when it began.`,
    "*Warm* is the second build, *cold* the first on servers that know nothing.",
    "",
    `| | ${links.join(" | ")} Mbit/s | CPU a file | sent a file |`,
    `|---|${links.map(() => "---|").join("")}---|---|`,
    ...rows.map((cells) => `| ${cells.join(" | ")} |`),
    "",
    `The round trip is 30 ms, in the last column of links 1 ms; the two columns on the right are of 10/50. The first build sends ${firstBuild(results)} MB in all.`,
    "",
    "![Build time over bandwidth](benchmarks/results/build-time.svg)",
    "",
    "`npm run bench` measures this on your machine, `npm run bench -- quick` a part of it in some minutes:",
    "[benchmarks/README.md](benchmarks/README.md). All figures: [benchmarks/results](benchmarks/results/README.md).",
  ].join("\n");
}

function homeCells({ launcherCpuMs, daemonCpuMs, upBytes, files }: BuildRun): string[] {
  return [`${(launcherCpuMs + daemonCpuMs).toFixed(0)} ms`, `${(upBytes / files / 1000).toFixed(1)} kB`];
}

function firstBuild({ runs }: Results): string {
  const run = runs.find(
    ({ tool, phase, link }) => tool === "homcc" && phase === "cold" && link.upMegabits === 10,
  );
  return megabytes(run?.upBytes ?? 0);
}

function linkOf({ link }: BuildRun): string {
  return `${link.upMegabits}/${link.downMegabits}`;
}
