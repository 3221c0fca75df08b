/**
 * Measures homcc on this machine and writes tables and plots to benchmarks/results, from which the README takes its numbers.
 *
 *     npm run bench                    everything: half an hour, most of it distcc and icecream on thin links
 *     npm run bench -- quick           a part of it in some minutes, printed only
 *     npm run bench -- micro|build     one of the halves, printed only
 *
 * benchmarks/README.md says what is measured and how.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { cpus, loadavg, release } from "node:os";
import { fullScope, quickScope, thinLinkBuild } from "./build/thin-link-build.ts";
import { analyser } from "./micro/analyser.ts";
import { codec } from "./micro/codec.ts";
import { innerLoop } from "./micro/inner-loop.ts";
import { launcher } from "./micro/launcher.ts";
import { renderMicro, renderResults } from "./report/tables.ts";
import { writeReport } from "./report/write-report.ts";
import type { Machine, MicroResult, Results } from "./results.ts";

const [what = "full", ...rest] = process.argv.slice(2);
if (!["full", "quick", "micro", "build"].includes(what) || rest.length > 0) {
  console.error("usage: npm run bench [-- quick | micro | build]");
  process.exit(64);
}
const say = (line: string): void => console.error(`bench: ${line}`);
const startMs = performance.now();
const machine = describeMachine();
const micro = what === "build" ? [] : await measureMicro(what === "quick" ? 5 : 20);
if (what === "micro") {
  console.log(renderMicro(micro));
} else {
  const scope = what === "quick" ? quickScope : fullScope;
  const results: Results = { machine, micro, ...(await thinLinkBuild(scope, machine.compiler, say)) };
  console.log(renderResults(results));
  if (what === "full") await writeReport(results);
}
say(`took ${Math.round((performance.now() - startMs) / 1000)} s`);

async function measureMicro(rounds: number): Promise<MicroResult[]> {
  return [
    ...(await analyser()),
    ...(await codec()),
    ...(await launcher(rounds)),
    ...(await innerLoop(rounds)),
  ];
}

function describeMachine(): Machine {
  const processors = cpus();
  return {
    processor: processors[0]?.model.trim() ?? "unknown",
    cores: processors.length,
    memoryGigabytes: memoryGigabytes(),
    kernel: release(),
    node: process.version,
    compiler: execFileSync("g++", ["--version"], { encoding: "utf8" }).split("\n")[0] ?? "",
    load: Math.round((loadavg()[0] ?? 0) * 10) / 10,
  };
}

function memoryGigabytes(): number {
  const kilobytes = /MemTotal:\s+(\d+)/.exec(readFileSync("/proc/meminfo", "utf8"))?.[1] ?? "0";
  return Math.round(Number(kilobytes) / 2 ** 20);
}
