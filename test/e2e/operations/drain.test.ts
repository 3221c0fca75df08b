/** A homccd that is told to end: what runs is finished, the rest goes elsewhere, and nothing fails or comes home for it. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { runCommand } from "../../support/command.ts";
import { replayedUnits, type ReplayedUnits } from "../../support/replayed-units.ts";
import { homccdProgram, homccProgram } from "../../support/repository.ts";
import { type Server, startServer } from "../../support/server.ts";
import { waitFor } from "../../support/wait-for.ts";
import { createWorkplace, systemPath, type Workplace } from "../../support/workplace.ts";

/** Compiles the units at most `parallel` at a time. Ends once all are done. */
async function build(workplace: Workplace, units: readonly string[], hosts: string, parallel: number) {
  const command = ["xargs", "-P", String(parallel), "-I{}", homccProgram, "gcc", "-c", "{}"];
  return await workplace.run(command, {
    environment: workplace.environment({ HOMCC_HOSTS: hosts }),
    input: units.join("\n"),
    timeoutMs: 120_000,
  });
}

/** An agent that knows nothing yet may leave its first jobs to idle local cores: this one has begun. */
async function warmUp(workplace: Workplace, unit: string | undefined, hosts: string): Promise<void> {
  const environment = workplace.environment({ HOMCC_HOSTS: hosts, HOMCC_NO_LOCAL_COMPILATION: "1" });
  const { status, stderr } = await workplace.run([homccProgram, "gcc", "-c", unit ?? ""], { environment });
  assert.equal(status, 0, stderr);
}

function startedOn(server: Server): number {
  return [...server.log().matchAll(/: the compiler starts/g)].length;
}

async function assertObjects(workplace: Workplace, units: ReplayedUnits, names = units.names): Promise<void> {
  for (const name of names) {
    const object = await readFile(join(workplace.project, name.replace(/c$/, "o")), "utf8");
    assert.equal(object, units.object(name));
  }
}

function administer(server: Server, ...words: string[]) {
  return runCommand([homccdProgram, "--no-config", "--store", server.storeFolder, ...words], {
    cwd: "/",
    environment: { PATH: systemPath },
  });
}

test("SIGTERM: what runs is finished there, what waits goes to the other server, nothing comes home", async () => {
  await using workplace = await createWorkplace({ forbidLocal: false });
  const units = await replayedUnits(workplace.project, join(workplace.folder, "records"), 16, () => 700);
  const options = [...units.options, "--log-level", "DEBUG"];
  await using ending = await startServer({ limit: 2, options });
  await using staying = await startServer({ limit: 2, options });
  const hosts = `${ending.address}/6 ${staying.address}/6`;
  await warmUp(workplace, units.names[0], hosts);
  const building = build(workplace, units.names.slice(1), hosts, 16);
  await waitFor("jobs on both", () => startedOn(ending) >= 2 && startedOn(staying) >= 2);
  ending.kill("SIGTERM");
  const { status, stderr } = await building;
  assert.equal(status, 0, stderr);
  await ending.ended;
  await assertObjects(workplace, units);
  const jobs = await workplace.jobs(units.names.length);
  assert.deepEqual(
    jobs
      .filter(({ outcome }) => outcome !== "compiled-remotely")
      .map(({ outcome, detail }) => [outcome, detail]),
    [],
  );
  assert.match(ending.log(), /ending: 1 connections, \d+ jobs/);
  assert.doesNotMatch(ending.log(), /are not finished/);
});

test("one server alone: its successor is started while it still works, and every job waits for that", async () => {
  await using workplace = await createWorkplace({ forbidLocal: false });
  const units = await replayedUnits(workplace.project, join(workplace.folder, "records"), 24, () => 500);
  const options = [...units.options, "--log-level", "DEBUG"];
  await using first = await startServer({ limit: 4, options });
  const hosts = `${first.address}/8`;
  await warmUp(workplace, units.names[0], hosts);
  const building = build(workplace, units.names.slice(1), hosts, 8);
  await waitFor("jobs", () => startedOn(first) >= 4);
  first.kill("SIGTERM");
  await waitFor("the port is free", () => first.log().includes("ending:"));
  await using second = await startServer({
    limit: 4,
    options,
    port: first.port,
    storeFolder: first.storeFolder,
  });
  const { status, stderr } = await building;
  assert.equal(status, 0, stderr);
  await assertObjects(workplace, units);
  const jobs = await workplace.jobs(units.names.length);
  assert.deepEqual(
    jobs
      .filter(({ outcome }) => outcome !== "compiled-remotely")
      .map(({ outcome, detail }) => [outcome, detail]),
    [],
  );
  assert.ok(startedOn(second) > 0);
  assert.equal(startedOn(first) + startedOn(second), units.names.length, "nothing was compiled twice");
});

test("homccd drain returns when all is done; where none runs, or two things are asked, it says so", async () => {
  await using workplace = await createWorkplace();
  const units = await replayedUnits(workplace.project, join(workplace.folder, "records"), 2, () => 1_500);
  await using server = await startServer({ options: [...units.options, "--log-level", "DEBUG"] });
  const building = build(workplace, units.names, server.address, 2);
  await waitFor("jobs", () => startedOn(server) === 2);
  const drained = await administer(server, "drain");
  assert.deepEqual([drained.status, drained.stdout], [0, "drained\n"]);
  assert.match(drained.stderr, /^2 jobs to finish, 1 connections\n/);
  assert.equal((await building).status, 0);
  await server.ended;
  await assertObjects(workplace, units);
  const again = await administer(server, "drain");
  assert.equal(again.status, 69);
  assert.match(again.stderr, /no homccd runs with the store .*--store/);
  assert.equal((await administer(server, "drain", "twice")).status, 2);
});

test("a second signal ends it at once, and so does the time limit; the jobs are done elsewhere", async () => {
  for (const [options, isHurried] of [
    [[], true],
    [["--drain-timeout", "0.3"], false],
  ] as const) {
    await using workplace = await createWorkplace({ forbidLocal: false });
    const units = await replayedUnits(workplace.project, join(workplace.folder, "records"), 1, () => 30_000);
    const common = ["--log-level", "DEBUG"];
    await using slow = await startServer({ options: [...units.options, ...common, ...options] });
    const quick = await replayedUnits(workplace.project, join(workplace.folder, "quick"), 1, () => 10);
    await using other = await startServer({ options: [...quick.options, ...common] });
    const hosts = `${slow.address}/1 ${other.address}/1`;
    // A host that is full is not chosen: the first job takes the other one.
    const building = build(workplace, units.names, `${slow.address}/1`, 1);
    await waitFor("the job", () => startedOn(slow) === 1);
    slow.kill("SIGTERM");
    if (isHurried) {
      await waitFor("the drain", () => slow.log().includes("ending:"));
      slow.kill("SIGTERM");
    }
    await slow.ended;
    assert.match(slow.log(), /1 jobs are not finished/);
    assert.equal((await building).status, 0);
    assert.equal((await build(workplace, units.names, hosts, 1)).status, 0);
    assert.equal(startedOn(other), 1);
  }
});
