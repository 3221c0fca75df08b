/** A homccd whose control group has little memory left, whatever the machine has: jobs wait, or go elsewhere. */
import assert from "node:assert/strict";
import { truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { assertNoLeaks } from "../../support/leaks.ts";
import { createMemoryGroup } from "../../support/memory-group.ts";
import { recordSurvived } from "../../support/reliability.ts";
import { holdCompiler } from "../../support/remote-compiler.ts";
import { type Server, startServer } from "../../support/server.ts";
import { briefSource } from "../../support/slow-source.ts";
import { assertSameUnit, compilersStarted, unitCompile } from "../../support/unit-compile.ts";
import { waitFor } from "../../support/wait-for.ts";
import { createWorkplace, type Workplace } from "../../support/workplace.ts";

const mib = 2 ** 20;
const groupBytes = 512 * mib;
const wantedMiB = 200;

const settings = (minFreeMemory: string): string =>
  `[homccd]\nlimit = 4\nlog_level = DEBUG\nmin_free_memory = ${minFreeMemory}\n`;

/** MiB that were available each time when jobs began to wait. */
function shortages(server: Server): number[] {
  return [...server.log().matchAll(/jobs wait: short of memory: (\d+) MiB/g)].map(([, left]) => Number(left));
}

async function configure(server: Server, minFreeMemory: string): Promise<void> {
  await writeFile(join(server.folder, "homcc.conf"), settings(minFreeMemory));
  const before = server.log().length;
  server.kill("SIGHUP");
  await waitFor("new settings", () => server.log().includes("settings changed", before));
}

async function begin(workplace: Workplace, hosts: string, name: string, text = `int ${name};\n`) {
  await writeFile(join(workplace.project, `${name}.cpp`), text);
  const environment = workplace.environment({ HOMCC_HOSTS: hosts });
  return workplace.start(unitCompile(name), { environment, timeoutMs: 110_000 });
}

async function succeed(workplace: Workplace, name: string, running: Awaited<ReturnType<typeof begin>>) {
  const { status, stderr } = await running.finished;
  assert.deepEqual({ name, status, stderr }, { name, status: 0, stderr: "" });
  await assertSameUnit(workplace, name);
}

test("memory is short: jobs wait beside the one that runs until there is some, or go to another server", async () => {
  await using group = createMemoryGroup(groupBytes);
  await using small = await startServer({
    configuration: settings(`${wantedMiB}M`),
    prefix: group?.words ?? [],
  });
  await using large = await startServer({ limit: 1, options: ["--log-level", "DEBUG"] });
  // Nothing may be compiled at home.
  await using workplace = await createWorkplace();
  const [onSmall, onLarge] = [`${small.address}/4`, `${large.address}/1`];
  /** Where there can be no group, no memory is enough. */
  const makeScarce = async (): Promise<() => Promise<void>> => {
    if (group !== undefined) return await group.take(group.free() - (wantedMiB - 80) * mib);
    await configure(small, "1000000G");
    return () => configure(small, `${wantedMiB}M`);
  };
  await succeed(workplace, "first", await begin(workplace, onSmall, "first"));
  await succeed(workplace, "second", await begin(workplace, onLarge, "second"));
  const first = await begin(workplace, onSmall, "brief0", briefSource);
  const releaseFirst = await holdCompiler(small, "brief0");

  const endScarcity = await makeScarce();
  const waiting = await begin(workplace, onSmall, "waiting");
  await waitFor("a job that waits", () => shortages(small).length === 1);
  assert.equal(compilersStarted(small, "waiting.cpp"), 0);
  await endScarcity();
  await succeed(workplace, "waiting", waiting);

  const second = await begin(workplace, onLarge, "brief1", briefSource);
  const releaseSecond = await holdCompiler(large, "brief1");
  const endAgain = await makeScarce();
  // One of them at most goes to the other server at first.
  const names = ["elsewhere0", "elsewhere1", "elsewhere2"];
  const others: Awaited<ReturnType<typeof begin>>[] = [];
  for (const name of names) others.push(await begin(workplace, `${onSmall}\n${onLarge}`, name));
  const patient = await begin(workplace, onSmall, "patient");
  const refused = /(\w+)\.cpp: limited: short of memory: \d+ MiB available, min_free_memory/g;
  const areRefused = (): boolean => {
    const sources = new Set([...small.log().matchAll(refused)].map(([, name = ""]) => name));
    return sources.has("patient") && sources.size >= 3;
  };
  await waitFor("refusals", areRefused, 60_000);
  releaseSecond();
  for (const [index, name] of names.entries())
    await succeed(workplace, name, others[index] ?? assert.fail(name));
  for (const name of names) {
    const started = [small, large].map((server) => compilersStarted(server, `${name}.cpp`));
    assert.deepEqual(started, [0, 1], name);
  }
  await endAgain();
  await succeed(workplace, "patient", patient);
  releaseFirst();
  await succeed(workplace, "brief0", first);
  await succeed(workplace, "brief1", second);
  assert.equal(shortages(small).length, 2);
  // The machine has more.
  if (group !== undefined) assert.ok(Math.max(...shortages(small)) < wantedMiB, String(shortages(small)));
  await assertNoLeaks({ servers: [small, large], workplaces: [workplace] });
  recordSurvived("The server has less memory left than min_free_memory: jobs wait, or go to another", 2);
});

test("what the page cache has of a group is there for jobs, also what is used often", async () => {
  await using group = createMemoryGroup(groupBytes);
  await using server = await startServer({
    configuration: settings(`${wantedMiB}M`),
    prefix: group?.words ?? [],
  });
  await using workplace = await createWorkplace();
  const hosts = `${server.address}/4`;
  await succeed(workplace, "first", await begin(workplace, hosts, "first"));
  const file = join(workplace.folder, "read");
  await writeFile(file, "");
  await truncate(file, (groupBytes / 4) * 3);
  const active = await group?.readOften(file);
  assert.ok(active === undefined || groupBytes - active < wantedMiB * mib, `${active} bytes`);
  const first = await begin(workplace, hosts, "brief0", briefSource);
  const release = await holdCompiler(server, "brief0");
  await succeed(workplace, "beside", await begin(workplace, hosts, "beside"));
  release();
  await succeed(workplace, "brief0", first);
  assert.deepEqual(shortages(server), []);
});
