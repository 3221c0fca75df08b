import { goalIdealMs } from "../figures/goals.ts";
import { renderFigures } from "./figures-table.ts";
import type { MicroResult, Results } from "../results.ts";

/** benchmarks/results/README.md: the whole of it in tables. */
export function renderResults(results: Results): string {
  const { machine, farm, local, absent } = results;
  const perFile = (total: number): string => seconds(total / farm.sources, 2);
  return [
    `Measured on ${machine.cores} cores of ${machine.processor}, ${machine.memoryGigabytes} GB, Linux ${machine.kernel}, Node ${machine.node}, ${machine.compiler}; load ${machine.load} when it began. Client, link and servers share these cores.`,
    "",
    `The project: ${farm.sources} generated C++17 sources with ${farm.headers} headers of their own, ${megabytes(farm.objectBytes)} MB of objects. Its compiles were recorded here with the plain compiler (${seconds(farm.compileMs)} of processor, ${perFile(farm.compileMs)} a file, the longest ${seconds(farm.longestMs)}) and are replayed by ${farm.slots} slots, as long as they took; ${seconds(farm.idealMs)} is what they take in list order with nothing around them. Here alone, ${machine.cores} at once, they took ${seconds(local.wallMs)} while they were recorded; ${seconds(farm.compileMs / machine.cores)} is what these cores can do when nobody else uses them.`,
    "",
    "### Builds over a link",
    "",
    ...buildTable(results),
    "",
    "CPU is the client's, in milliseconds a file, beyond starting processes that do nothing: of launchers with all they start, and of the agent. Bytes are what the programs send, a file, without the headers of TCP and IP. The link is emulated in user space. `each`: the second build is like the first. *At home* are files that icecream compiled on the client, which are in its CPU.",
    ...absent.map(({ tool, why }) => `\n${tool} did not take part: ${why}.`),
    "",
    "### Figures",
    "",
    `What homcc must reach and aims at, for a library of this size; builds over 10/50 Mbit/s where nothing else is said. A dash: not measured in this run. The walls' goals are of compiles that alone take ${seconds(goalIdealMs, 2)} on 64 slots; these take ${seconds(farm.idealMs, 2)}.`,
    "",
    renderFigures(results),
    "",
    ...(results.micro.length === 0 ? [] : ["### Parts", "", renderMicro(results.micro)]),
  ].join("\n");
}

function buildTable({ runs, local, farm }: Results): string[] {
  return [
    "| | link, Mbit/s | round trip | wall | launcher CPU | agent CPU | server CPU | bytes up | bytes down | up in all | at home | equal objects |",
    "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ...runs.map((run) => {
      const cells = [
        `${run.tool} ${run.phase}`,
        `${run.link.upMegabits}/${run.link.downMegabits}`,
        `${run.link.roundTripMs} ms`,
        seconds(run.wallMs),
        run.launcherCpuMs.toFixed(1),
        run.daemonCpuMs.toFixed(1),
        run.serverCpuMs.toFixed(1),
        String(Math.round(run.upBytes / run.files)),
        String(Math.round(run.downBytes / run.files)),
        `${megabytes(run.upBytes)} MB`,
        run.atHome === undefined ? "–" : String(run.atHome),
        `${run.equalObjects} of ${run.files}`,
      ];
      return `| ${cells.join(" | ")} |`;
    }),
    `| local, as recorded | – | – | ${seconds(local.wallMs)} | ${(local.cpuMs / farm.sources).toFixed(1)} |${" – |".repeat(7)}`,
  ];
}

export function renderMicro(results: readonly MicroResult[]): string {
  return [
    "| | median | min | max |",
    "|---|---|---|---|",
    ...results.map(
      ({ name, unit, median, min, max }) =>
        `| ${name} | ${[median, min, max].map((value) => `${value.toFixed(value < 10 ? 2 : 1)} ${unit}`).join(" | ")} |`,
    ),
  ].join("\n");
}

export function seconds(ms: number, digits = 1): string {
  return `${(ms / 1000).toFixed(digits)} s`;
}

export function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
