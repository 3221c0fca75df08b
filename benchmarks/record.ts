/**
 * Records what `homccd --executor replay` answers with: compiles each source of a list with the plain compiler on this
 * machine and keeps the object and the time it took.
 *
 *     node benchmarks/record.ts DIR ROOT LIST -- g++ -O2 -g -IROOT/include
 *
 * LIST is a text file with one source a line, absolute or below ROOT; DIR gets KEY.o and KEY.ms of each. Then
 * `homccd --executor replay --replay-dir DIR --replay-root ROOT` has them.
 */
import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { record } from "./build/recording.ts";

const separator = process.argv.indexOf("--");
const [folder, root, list] = process.argv.slice(2, separator < 0 ? undefined : separator);
const compiler = separator < 0 ? [] : process.argv.slice(separator + 1);
if (folder === undefined || root === undefined || list === undefined || compiler.length === 0) {
  console.error("usage: node benchmarks/record.ts DIR ROOT LIST -- COMPILER [OPTION]...");
  process.exit(64);
}
const lines = (await readFile(list, "utf8")).split("\n").filter((line) => line.trim() !== "");
const times = await record({
  folder: resolve(folder),
  root: resolve(root),
  sources: lines.map((line) => resolve(root, line.trim())),
  compiler,
  jobs: availableParallelism(),
});
const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
const sumMs = times.reduce((sum, ms) => sum + ms, 0);
console.log(
  `${times.length} sources, ${seconds(sumMs)} of compiling, the longest ${seconds(Math.max(...times))}`,
);
