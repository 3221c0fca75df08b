/**
 * What an output is worth once its like is on both ends: `node packages/protocol/src/delta.bench.ts [BASE OUTPUT]…`.
 * Without files $CXX or g++ makes some: an object after a comment, an edited inline function and a new member in its header, and that
 * of another source of the project.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packNow } from "./compression.ts";
import { decodeDelta, encodeDelta } from "./delta.ts";

const repetitions = 5;
const compiler = process.env["CXX"] ?? "g++";
const files = process.argv.slice(2);

if (files.length > 0) {
  for (let at = 0; at + 1 < files.length; at += 2) await compare(files[at] ?? "", files[at + 1] ?? "");
} else {
  const folder = mkdtempSync(join(tmpdir(), "homcc-bench-"));
  try {
    const base = compile(folder, "base", "a", "", "");
    for (const [name, source, comment, member] of [
      ["comment", "a", "// a comment\n", ""],
      ["inline", "a", "", "void more() { s += s; }"],
      ["member", "a", "", "long member = 1;"],
      ["other", "b", "", ""],
    ] as const) {
      await compare(base, compile(folder, name, source, comment, member));
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function compile(folder: string, name: string, source: string, comment: string, member: string): string {
  const header = `${comment}struct T { int a; std::string s; ${member} };`;
  const body = `int ${source}(std::vector<T>& v, std::map<int, T>& m) { v.push_back(m[1]); return v.size(); }`;
  const [text, object] = [join(folder, "source.cpp"), join(folder, `${name}.o`)];
  writeFileSync(text, `#include <map>\n#include <string>\n#include <vector>\n${header}\n${body}\n`);
  execFileSync(compiler, ["-O2", "-g", "-c", text, "-o", object], { cwd: folder });
  return object;
}

async function compare(basePath: string, outputPath: string): Promise<void> {
  const [base, bytes] = [readFileSync(basePath), readFileSync(outputPath)];
  console.log(`${outputPath}: ${bytes.byteLength} bytes`);
  for (const level of [1, 3, 6, 9]) {
    const { payload } = packNow(bytes, level);
    console.log(
      `  alone, level ${level}: ${payload.byteLength} bytes, ${await time(() => packNow(bytes, level))}`,
    );
  }
  for (const isHurried of [true, false]) {
    const delta = await encodeDelta(bytes, base, isHurried);
    const coding = await time(() => encodeDelta(bytes, base, isHurried));
    const reading = await time(() => decodeDelta(delta, base, bytes.byteLength));
    const name = isHurried ? "hurried" : "thorough";
    console.log(`  by the base, ${name}: ${delta.byteLength} bytes, ${coding}, read in ${reading}`);
  }
}

/** The best of some runs: others use the machine too. */
async function time(run: () => unknown): Promise<string> {
  let bestMs = Infinity;
  for (let n = 0; n < repetitions; n++) {
    const startedMs = performance.now();
    await run();
    bestMs = Math.min(bestMs, performance.now() - startedMs);
  }
  return `${bestMs.toFixed(1)} ms`;
}
