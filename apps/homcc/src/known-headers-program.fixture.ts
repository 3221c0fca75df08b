/**
 * What an agent keeps of the headers in the folders of FOLDER (`known-headers-program.fixture.ts FOLDER MAX-OBJECTS`), filled and asked again. Prints
 * one line of JSON: `KnownHeaders`.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { argv } from "node:process";
import { setImmediate as turn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { InputEntry } from "@homcc/cas/action";
import { FileDigests } from "@homcc/inputs/file-digests";
import { systemClock } from "@homcc/observability/clock";
import { EntryNumbering } from "@homcc/protocol/session-entries";
import { limitHeapGrowth } from "./heap-growth.ts";

export interface KnownHeaders {
  readonly files: number;
  /** Files that were read, and entries that were declared, the first time and then. */
  readonly reads: readonly number[];
  readonly declared: readonly number[];
  /** With what they have outside the heap. */
  readonly tableBytes: number;
  readonly peakBytes: number;
  /** Processor time of the longest turn of the loop, and of a file that is known. */
  readonly longestTurnMs: number;
  readonly againUs: number;
}

/** A job names so many. */
const filesPerJob = 500;

/** Of what is beyond MAX-OBJECTS a table is kept. */
const [folder = "", maxObjects] = argv.slice(2);
const most = maxObjects === undefined ? {} : { maxRecords: Number(maxObjects) };
limitHeapGrowth();
let reads = 0;
// A minute later, when all of them are settled.
const clock = { ...systemClock, wallMs: () => Date.now() + 60_000 };
const digests = new FileDigests({ ...most, clock, onRead: () => void (reads += 1) });
const numbering = new EntryNumbering(most.maxRecords);
const before = heapBytes();
let longestTurnMs = 0;
const passes: { readonly reads: number; readonly declared: number; readonly cpuMs: number }[] = [];
for (const _pass of ["first", "again"]) {
  const [readBefore, numberBefore, startMs] = [reads, numbering.count, cpuMs()];
  for (const paths of jobsBelow(folder)) {
    const startedMs = cpuMs();
    const entries: InputEntry[] = [];
    for (const path of paths) {
      const record = await digests.record(path);
      if (record !== undefined) entries.push(record.entry);
    }
    numbering.encode(
      entries,
      () => [],
      () => {},
    );
    longestTurnMs = Math.max(longestTurnMs, cpuMs() - startedMs);
    await turn();
  }
  passes.push({
    reads: reads - readBefore,
    declared: numbering.count - numberBefore,
    cpuMs: cpuMs() - startMs,
  });
}
const report: KnownHeaders = {
  files: numbering.count,
  reads: passes.map((pass) => pass.reads),
  declared: passes.map((pass) => pass.declared),
  tableBytes: heapBytes() - before,
  peakBytes: process.resourceUsage().maxRSS * 1024,
  longestTurnMs,
  againUs: ((passes[1]?.cpuMs ?? 0) * 1000) / numbering.count,
};
console.log(JSON.stringify(report));
// Until here nobody may collect them.
process.exitCode = digests === undefined || numbering.count === 0 ? 1 : 0;

/** Of paths only the tables keep anything. */
function* jobsBelow(path: string): Generator<readonly string[]> {
  for (const name of readdirSync(path)) {
    const paths = readdirSync(join(path, name)).map((file) => join(path, name, file));
    for (let at = 0; at < paths.length; at += filesPerJob) yield paths.slice(at, at + filesPerJob);
  }
}

function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

function heapBytes(): number {
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  if (typeof collect !== "function") throw new Error("there is no collector");
  collect();
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
