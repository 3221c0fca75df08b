import type { BuildRun, Results } from "../results.ts";
import { type PlotLine, renderPlot } from "./plot.ts";

const colours: Readonly<Record<string, string>> = {
  homcc: "#0a7d3b",
  distcc: "#c0392b",
  icecream: "#2c5aa0",
};

/** File name to SVG. */
export function renderPlots(results: Results): Map<string, string> {
  const { farm, machine } = results;
  const plots = new Map<string, string>();
  const everywhere = (name: string, ms: number): PlotLine => ({
    name,
    colour: "#777",
    isDashed: true,
    values: linksOf(results).map(() => rounded(ms / 1000)),
  });
  const common = {
    categories: linksOf(results),
    axis: "link, up/down in Mbit/s (30 ms round trip, the last 1 ms)",
  };
  plots.set(
    "build-time.svg",
    renderPlot({
      ...common,
      title: `Building ${farm.sources} files on ${farm.slots} slots`,
      unit: "seconds",
      lines: [
        ...linesOf(results, (run) => run.wallMs / 1000),
        everywhere("here at best", farm.compileMs / machine.cores),
        everywhere("compiles alone", farm.idealMs),
      ],
    }),
  );
  plots.set(
    "client-cpu.svg",
    renderPlot({
      ...common,
      title: "The client's CPU",
      unit: "milliseconds a file",
      lines: linesOf(results, (run) => run.launcherCpuMs + run.daemonCpuMs),
    }),
  );
  plots.set(
    "uplink.svg",
    renderPlot({
      ...common,
      title: "What the client sends",
      unit: "kilobytes a file",
      lines: linesOf(results, (run) => run.upBytes / run.files / 1000),
    }),
  );
  return plots;
}

function linksOf({ runs }: Results): string[] {
  return [...new Set(runs.map(linkOf))];
}

function linkOf({ link }: BuildRun): string {
  return `${link.upMegabits}/${link.downMegabits}`;
}

function linesOf(results: Results, measure: (run: BuildRun) => number): PlotLine[] {
  const { runs } = results;
  const names = [...new Set(runs.map(({ tool, phase }) => `${tool} ${phase}`))];
  return names.map((name) => {
    const own = runs.filter(({ tool, phase }) => `${tool} ${phase}` === name);
    return {
      name,
      colour: colours[own[0]?.tool ?? ""] ?? "#555",
      isDashed: own[0]?.phase === "cold",
      values: linksOf(results).map((link) => {
        const run = own.find((one) => linkOf(one) === link);
        return run === undefined ? undefined : rounded(Math.max(measure(run), 0.01));
      }),
    };
  });
}

function rounded(value: number): number {
  return Number(value.toPrecision(3));
}
