import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { agentsOf, endProcesses } from "../../test/support/processes.ts";
import { homccProgram } from "../../test/support/repository.ts";
import { startServer } from "../../test/support/server.ts";
import { createWorkplace, type Workplace } from "../../test/support/workplace.ts";
import type { MicroResult } from "../results.ts";
import { summary } from "./rounds.ts";

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

/** Two machines: what the client does while the server compiles does not slow the server down. */
const [clientMachine, serverMachine] = [
  ["taskset", "-c", "0"],
  ["taskset", "-c", "1"],
];
const compiler = ["g++", "-g", "-c", "a.cpp", "-o", "a.o"];
const compile = [...clientMachine, homccProgram, ...compiler];

/**
 * The inner loop of a developer: one file is edited and compiled again. Client and server are this machine, each with a
 * processor of its own, so that there is no round trip to speak of: what is measured is everything of homcc's around the
 * server's compile. The start of an empty Node process is there as the unit in which machines can be compared.
 */
export async function innerLoop(rounds: number): Promise<MicroResult[]> {
  await using server = await startServer({ prefix: serverMachine });
  await using workplace = await createWorkplace({ hosts: `${server.address}/4` });
  const empty: number[] = [];
  const emptyNode: number[] = [];
  const plain: number[] = [];
  const remote: number[] = [];
  const around: number[] = [];
  const unchanged: number[] = [];
  await timed(workplace, compile, source);
  for (let round = 0; round < rounds; round += 1) {
    const text = `${source}// ${round}\n`;
    empty.push(await timed(workplace, [...clientMachine, "true"]));
    emptyNode.push(await timed(workplace, [...clientMachine, process.execPath, "--eval", ""]));
    plain.push(await timed(workplace, [...clientMachine, ...compiler], text));
    const expected = await readFile(join(workplace.project, "a.o"));
    const jobs = (await workplace.jobs()).length;
    const wallMs = await timed(workplace, compile, `${text}//\n`);
    const job = (await workplace.jobs(jobs + 1)).at(-1);
    assert.equal(job?.outcome, "compiled-remotely");
    assert.ok(expected.equals(await readFile(join(workplace.project, "a.o"))), "another object");
    remote.push(wallMs);
    around.push(wallMs - job.compileMs);
    const again = await timed(workplace, compile);
    unchanged.push(again - ((await workplace.jobs(jobs + 2)).at(-1)?.compileMs ?? 0));
  }
  const spawnMs = summary("", "ms", empty).median;
  const [coldMs, warmMs] = await startOfAgent(workplace, rounds);
  return [
    summary("an empty command, which is in all that follows", "ms", empty),
    summary("an empty Node process", "ms", emptyNode),
    summary("plain g++, one edited file", "ms", plain),
    summary("homcc g++, one edited file", "ms", remote),
    summary(
      "the same without the server's compile and an empty command",
      "ms",
      around.map((ms) => ms - spawnMs),
    ),
    summary(
      "the same when nothing changed",
      "ms",
      unchanged.map((ms) => ms - spawnMs),
    ),
    summary("a call that stays at home, no agent yet", "ms", coldMs),
    summary("a call that stays at home, agent there", "ms", warmMs),
  ];
}

/** Milliseconds from the call to its end; writes the source first. */
async function timed(place: Workplace, command: readonly string[], text?: string): Promise<number> {
  if (text !== undefined) {
    await writeFile(join(place.project, "a.cpp"), text);
    await setTimeout(tickMs);
  }
  const startMs = performance.now();
  const { status, stderr } = await place.run(command);
  const wallMs = performance.now() - startMs;
  assert.equal(status, 0, stderr);
  return wallMs;
}

/** A call that starts the agent, against one that finds it. */
async function startOfAgent(place: Workplace, rounds: number): Promise<[number[], number[]]> {
  const command = [...clientMachine, homccProgram, "gcc", "--version"];
  const cold: number[] = [];
  const warm: number[] = [];
  for (let round = 0; round < Math.min(rounds, 10); round += 1) {
    await endProcesses(agentsOf(place.homccFolder));
    cold.push(await timed(place, command));
    warm.push(await timed(place, command));
  }
  return [cold, warm];
}
