/**
 * The include scanner on a C++ file with about 500 headers, all known: nothing but their stats and the file itself is
 * looked at. In each round the file is another one, as after an edit. Beside it what it cannot be faster than (an lstat of
 * each header) and what it replaces (the compiler's own list), because only the ratios can be compared between machines.
 *
 *     node benchmarks/include-scanner.ts [ROUNDS]
 */
import assert from "node:assert/strict";
import { lstatSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Compilation } from "@homcc/compiler/compilation";
import { FileDigests } from "@homcc/inputs/file-digests";
import { FolderWatches } from "@homcc/inputs/folder-watches";
import { notFound, type DiscoveryContext } from "@homcc/inputs/include-finder";
import { KeptDirectives } from "@homcc/inputs/kept-directives";
import { listDependencies } from "@homcc/inputs/make-dependencies";
import {
  ScanningIncludeFinder,
  type ScanningIncludeFinderOptions,
} from "@homcc/inputs/scanning-include-finder";

const rounds = Number(process.argv[2] ?? 200);
const folder = mkdtempSync(join(tmpdir(), "homcc-scanner-"));
process.on("exit", () => rmSync(folder, { recursive: true }));
const source = join(folder, "a.cpp");
const text = `#include <bits/stdc++.h>
#include <pthread.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <poll.h>
#include <immintrin.h>
#include <linux/fs.h>
`;
const args = ["-std=c++20", "-O2", "-pthread"];
const compilation = compilationOf(source);
const context: DiscoveryContext = {
  cwd: folder,
  environment: { PATH: process.env["PATH"] ?? "" },
  compilerPath: "/usr/bin/g++",
  family: "gcc",
  signal: new AbortController().signal,
};

const finder = createScanner({});
const watches = new FolderWatches({ cookieFolder: folder, onProblem: console.error });
const watching = createScanner({ watches });

function createScanner(more: Pick<ScanningIncludeFinderOptions, "store" | "watches">): ScanningIncludeFinder {
  return new ScanningIncludeFinder(
    { find: () => Promise.resolve(notFound("inputs-unknown", "not scanned")) },
    { digests: new FileDigests(), verifyEvery: Infinity, ...more },
  );
}

function compilationOf(path: string): Compilation {
  return {
    argv: ["g++", "-c", ...args, path],
    source: path,
    language: "c++",
    outputs: ["a.o"],
    mainOutput: "a.o",
    discoveryArguments: args,
    includeDirectories: [],
    forcedIncludes: [],
    extraInputs: [],
    replay: false,
    mappedVeto: undefined,
  };
}

async function scan(path = source, scanner = finder): Promise<string[]> {
  const found = await scanner.find(compilationOf(path), context);
  assert.ok(found.kind === "found", [...scanner.counters.reasons.keys()].join("\n"));
  return found.files.map(({ entry }) => entry.path);
}

writeFileSync(source, text);
const firstMs = await timed(() => scan());
const headers = await scan();
await scan(source, watching);
const burst = Array.from({ length: 16 }, (_, index) => join(folder, `${index}.cpp`));
for (const path of burst) writeFileSync(path, text);
const edited: number[] = [];
const unchanged: number[] = [];
const together: number[] = [];
const editedWatched: number[] = [];
const unchangedWatched: number[] = [];
const togetherWatched: number[] = [];
const stats: number[] = [];
for (let round = 0; round < rounds; round += 1) {
  writeFileSync(source, `${text}// ${round}\n`);
  edited.push(await timed(() => scan()));
  unchanged.push(await timed(() => scan()));
  together.push((await timed(() => Promise.all(burst.map((path) => scan(path))))) / burst.length);
  writeFileSync(source, `${text}// again ${round}\n`);
  editedWatched.push(await timed(() => scan(source, watching)));
  unchangedWatched.push(await timed(() => scan(source, watching)));
  togetherWatched.push(
    (await timed(() => Promise.all(burst.map((path) => scan(path, watching))))) / burst.length,
  );
  stats.push(
    await timed(() => {
      for (const path of headers) lstatSync(path, { bigint: true, throwIfNoEntry: false });
    }),
  );
}
const listings: number[] = [];
for (let round = 0; round < Math.min(rounds, 10); round += 1)
  listings.push(await timed(() => listDependencies(compilation, context)));

const cold: number[] = [];
const coldKept: number[] = [];
const listsFile = join(folder, "directives");
for (let round = 0; round < Math.min(rounds, 10); round += 1) {
  cold.push(await coldScan());
  const kept = new KeptDirectives(listsFile);
  coldKept.push(await coldScan(kept));
  await kept.release();
}

/** As of a new agent that knows the compiler already: all files are read and digested. */
async function coldScan(store?: KeptDirectives): Promise<number> {
  const scanner = createScanner(store === undefined ? {} : { store });
  const small = join(folder, "small.cpp");
  writeFileSync(small, "int a;\n");
  await scan(small, scanner);
  return await timed(() => scan(source, scanner));
}

const floorMs = median(stats);
const listMs = median(listings);
print("headers", String(headers.length));
print("first scan, compiler asked, all files lexed", `${firstMs.toFixed(1)} ms`);
report("scan of a new agent, all files lexed", cold);
report("the same with kept lists of directives", coldKept.slice(1));
print("size of these lists", `${(statSync(listsFile).size / 1000).toFixed(0)} kB`);
report("scan after an edit", edited);
report("scan, nothing changed", unchanged);
report("each of 16 scans at once", together);
print("watched folders", String(watches.size));
report("scan after an edit, folders watched", editedWatched);
report("scan, nothing changed, folders watched", unchangedWatched);
report("each of 16 scans at once, folders watched", togetherWatched);
report("an lstat of each header", stats);
report("g++ -M", listings);

function report(what: string, times: readonly number[]): void {
  const ms = median(times);
  const [fastest = 0] = times.toSorted((one, other) => one - other);
  const ratios = `${(ms / floorMs).toFixed(2)} × lstat, 1/${(listMs / ms).toFixed(0)} of g++ -M`;
  print(what, `${ms.toFixed(2)} ms (fastest ${fastest.toFixed(2)}), ${ratios}`);
}

function print(what: string, figure: string): void {
  console.log(`${what.padEnd(45)} ${figure}`);
}

async function timed(run: () => unknown): Promise<number> {
  const startedMs = performance.now();
  await run();
  return performance.now() - startedMs;
}

function median(times: readonly number[]): number {
  return times.toSorted((one, other) => one - other)[times.length >> 1] ?? 0;
}
