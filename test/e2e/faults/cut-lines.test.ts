/** Lines that drop in the middle of a build: no job is lost, and nothing that was finished is compiled again. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as pass } from "node:timers/promises";
import { cutJobs } from "../../support/cut-jobs.ts";
import { type CutLink, startCutLink } from "../../support/cut-link.ts";
import { assertNoLeaks } from "../../support/leaks.ts";
import { compilersOf, processesMentioning } from "../../support/processes.ts";
import { recordSurvived } from "../../support/reliability.ts";
import { type Server, startServer } from "../../support/server.ts";
import { slowSource } from "../../support/slow-source.ts";
import { assertSameUnit, compilersStarted, unitCompile } from "../../support/unit-compile.ts";
import { waitFor } from "../../support/wait-for.ts";
import { createWorkplace, type Workplace } from "../../support/workplace.ts";

const debug = ["--log-level", "DEBUG"];

/** Numbers below `limit` that are the same each time. */
function numbers(seed: number, limit: number): number[] {
  let state = seed;
  return Array.from({ length: 4 }, () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * limit);
  });
}

for (const seed of [1, 2]) {
  test(`a line that is cut at any byte, offsets of seed ${seed}`, async () => {
    await using server = await startServer({ resultCache: true, options: debug, limit: 4 });
    const offsets = numbers(seed, 40_000).map((offset) => 300 + offset);
    await using link = await startCutLink(server.port, offsets);
    await using workplace = await createWorkplace({ hosts: `${link.address}/4` });
    const names = Array.from({ length: 8 }, (_, index) => `unit${index}`);
    for (const [index, name] of names.entries()) {
      const text = `#include <map>\n#include <string>\nstd::map<std::string, int> value${index}(int x) { return {{"${name}", x}}; }\n`;
      await writeFile(join(workplace.project, `${name}.cpp`), text);
    }
    const results = await Promise.all(names.map((name) => workplace.run(unitCompile(name))));
    assert.deepEqual(
      results.map(({ status, stderr }) => `${status} ${stderr}`),
      names.map(() => "0 "),
    );
    assert.ok(link.cuts() >= 2, `${link.cuts()} cuts`);
    assert.deepEqual(
      names.map((name) => compilersStarted(server, `${name}.cpp`)),
      names.map(() => 1),
      `${link.cuts()} cuts at ${String(offsets)}`,
    );
    for (const name of names) await assertSameUnit(workplace, name);
    recordSurvived("The line is cut at any byte while eight files are compiled", link.cuts());
  });
}

test("a line that is cut at any byte of a job, in either direction, or of a handshake", (t) =>
  cutJobs(t, 24));

/** Begins a compile of some seconds and returns when its compiler runs. */
async function beginSlow(workplace: Workplace, server: Server) {
  await writeFile(join(workplace.project, "slow.cpp"), slowSource);
  await writeFile(join(workplace.project, "next.cpp"), "int next;\n");
  const running = workplace.start(unitCompile("slow"));
  await waitFor("the remote compiler", () => compilersStarted(server, "slow.cpp") === 1);
  return running;
}

async function outage(link: CutLink, ms: number): Promise<void> {
  await link.down();
  // What is tested is how long it lasts.
  await pass(ms);
  await link.up();
}

/** One compile is under way when the line drops, another begins without it: both succeed without a word. */
async function compileThroughOutage(
  workplace: Workplace,
  server: Server,
  link: CutLink,
  ms: number,
): Promise<void> {
  const running = await beginSlow(workplace, server);
  const over = outage(link, ms);
  const next = workplace.run(unitCompile("next"));
  await over;
  const results = [await running.finished, await next];
  assert.deepEqual(
    results.map(({ status, stderr }) => `${status} ${stderr}`),
    ["0 ", "0 "],
  );
}

for (const resultCache of [true, false]) {
  test(`an outage of 3 s, ${resultCache ? "with" : "without"} a result cache: nothing is compiled at home, or twice`, async () => {
    await using server = await startServer({ resultCache, options: debug });
    await using link = await startCutLink(server.port);
    await using workplace = await createWorkplace({ hosts: `${link.address}/4`, forbidLocal: false });
    await compileThroughOutage(workplace, server, link, 3_000);
    assert.equal(compilersStarted(server, "slow.cpp"), 1);
    const jobs = await workplace.jobs(2);
    assert.deepEqual(
      jobs.filter(({ host }) => host !== link.address),
      [],
    );
    await assertSameUnit(workplace, "slow");
    recordSurvived("The line is down for 3 s: nothing is compiled at home, or twice");
  });
}

test("an outage of 30 s fails no build that may not be compiled at home, and nothing is compiled twice", async () => {
  await using server = await startServer({ resultCache: true, options: debug });
  await using link = await startCutLink(server.port);
  await using workplace = await createWorkplace({ hosts: `${link.address}/4` });
  await compileThroughOutage(workplace, server, link, 30_000);
  assert.deepEqual(
    ["slow.cpp", "next.cpp"].map((source) => compilersStarted(server, source)),
    [1, 1],
  );
  await assertSameUnit(workplace, "slow");
  recordSurvived("The line is down for 30 s, where nothing may be compiled at home");
});

test("a server that does not come back: the build goes on at home, after four seconds", async (t) => {
  await using server = await startServer({ options: debug, limit: 8 });
  await using workplace = await createWorkplace({ hosts: `${server.address}/8`, forbidLocal: false });
  const names = ["slow", "slow2"];
  for (const name of names) await writeFile(join(workplace.project, `${name}.cpp`), slowSource);
  await writeFile(join(workplace.project, "next.cpp"), "int next;\n");
  const running = names.map((name) => workplace.start(unitCompile(name), { timeoutMs: 110_000 }));
  await waitFor("the remote compilers", () =>
    names.every((name) => compilersStarted(server, `${name}.cpp`) === 1),
  );
  const startedMs = performance.now();
  server.kill("SIGKILL");
  running.push(workplace.start(unitCompile("next")));
  // Those of the server do not have the client's environment.
  const isAtHome = (): boolean => {
    const ours = new Set(processesMentioning(workplace.homccFolder).map(({ pid }) => pid));
    return compilersOf("").some(({ pid }) => ours.has(pid));
  };
  await waitFor("a compiler at home", isAtHome, 40_000);
  const afterMs = performance.now() - startedMs;
  const results = await Promise.all(running.map(({ finished }) => finished));
  for (const { status, stderr } of results) assert.equal(status, 0, stderr);
  assert.match(results.map(({ stderr }) => stderr).join(""), /Compiling locally instead!/);
  for (const { outcome } of await workplace.jobs(3)) assert.match(outcome, /^(connection-lost|no-server)$/);
  assert.ok(afterMs >= 4_000, `${afterMs} ms`);
  t.diagnostic(`a first one goes on at home ${(afterMs / 1000).toFixed(1)} s after the server's end`);
  for (const name of [...names, "next"]) await assertSameUnit(workplace, name);
  await assertNoLeaks({ workplaces: [workplace] });
  recordSurvived("The server is killed in the middle of jobs and does not come back");
});
