/**
 * The inner loop of a developer: one file is edited and compiled again. Client and server are this machine, so that there
 * is no round trip to speak of: what is measured is everything of homcc's around the server's compile.
 *
 *     node benchmarks/inner-loop.ts [ROUNDS]
 */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { agentsOf, endProcesses } from "../test/support/processes.ts";
import { homccProgram } from "../test/support/repository.ts";
import { startServer } from "../test/support/server.ts";
import { createWorkplace, type Workplace } from "../test/support/workplace.ts";

const rounds = Number(process.argv[2] ?? 20);
/** The kernel's clock for file times lags behind by up to one tick; nobody saves and compiles faster. */
const tickMs = 20;
const source = `#include <algorithm>
#include <map>
#include <string>
#include <vector>
int count(const std::vector<std::string>& words) {
  std::map<std::string, int> counts;
  for (const auto& word : words) ++counts[word];
  return static_cast<int>(counts.size());
}
`;

await using server = await startServer();
await using workplace = await createWorkplace({ hosts: `${server.address}/4` });
const file = join(workplace.project, "a.cpp");
const compile = ["g++", "-g", "-c", "a.cpp", "-o", "a.o"];
const plain: number[] = [];
const remote: number[] = [];
const around: number[] = [];
const unchanged: number[] = [];
await timed(workplace, [homccProgram, ...compile], source);
for (let round = 0; round < rounds; round += 1) {
  const text = `${source}// ${round}\n`;
  plain.push(await timed(workplace, compile, text));
  const expected = await readFile(join(workplace.project, "a.o"));
  const jobs = (await workplace.jobs()).length;
  const wallMs = await timed(workplace, [homccProgram, ...compile], `${text}//\n`);
  const job = (await workplace.jobs(jobs + 1)).at(-1);
  assert.equal(job?.outcome, "compiled-remotely");
  assert.ok(expected.equals(await readFile(join(workplace.project, "a.o"))), "another object");
  remote.push(wallMs);
  around.push(wallMs - job.compileMs);
  const again = await timed(workplace, [homccProgram, ...compile]);
  unchanged.push(again - ((await workplace.jobs(jobs + 2)).at(-1)?.compileMs ?? 0));
}
const [coldMs, warmMs] = await startOfAgent(workplace);
report([
  ["plain g++, one edited file", plain],
  ["homcc g++, one edited file", remote],
  ["  of it not the server's compile", around],
  ["  the same when nothing changed", unchanged],
  ["a call that stays at home, no agent yet", coldMs],
  ["a call that stays at home, agent there", warmMs],
]);

/** Milliseconds from the call to its end; writes the source first. */
async function timed(place: Workplace, command: readonly string[], text?: string): Promise<number> {
  if (text !== undefined) {
    await writeFile(file, text);
    await setTimeout(tickMs);
  }
  const startMs = performance.now();
  const { status, stderr } = await place.run(command);
  const wallMs = performance.now() - startMs;
  assert.equal(status, 0, stderr);
  return wallMs;
}

/** A call that starts the agent, against one that finds it. */
async function startOfAgent(place: Workplace): Promise<[number[], number[]]> {
  const command = [homccProgram, "gcc", "--version"];
  const cold: number[] = [];
  const warm: number[] = [];
  for (let round = 0; round < Math.min(rounds, 10); round += 1) {
    await endProcesses(agentsOf(place.homccFolder));
    cold.push(await timed(place, command));
    warm.push(await timed(place, command));
  }
  return [cold, warm];
}

function report(rows: readonly (readonly [what: string, ms: readonly number[]])[]): void {
  console.log(`${"".padEnd(42)} ${["median", "min", "max"].map((title) => title.padStart(9)).join("")}`);
  for (const [what, values] of rows) {
    const sorted = values.toSorted((a, b) => a - b);
    const shown = [sorted[Math.floor(sorted.length / 2)], sorted[0], sorted.at(-1)];
    console.log(`${what.padEnd(42)} ${shown.map((ms = NaN) => `${ms.toFixed(1)} ms`.padStart(9)).join("")}`);
  }
}
