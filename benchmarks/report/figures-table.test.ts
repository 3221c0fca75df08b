import assert from "node:assert/strict";
import { test } from "node:test";
import type { BuildRun } from "../results.ts";
import { renderFigures } from "./figures-table.ts";
import { readResults } from "./write-report.ts";

async function rows(figures: object, runs: readonly BuildRun[] = []): Promise<string[]> {
  const table = renderFigures({ ...(await readResults()), runs, figures });
  return table.split("\n").slice(2);
}

test("a figure stands beside what it must be and the aim", async () => {
  const row = async (failingCpuMs: number): Promise<string | undefined> =>
    (await rows({ failingCpuMs })).find((line) => line.includes("fail to compile"));
  assert.equal(await row(1990), "| 500 files that fail to compile, client CPU | 1.99 s | 3 s | 2 s | aim |");
  assert.match((await row(2990)) ?? "", /2\.99 s .* must \|$/);
  assert.match((await row(3010)) ?? "", /3\.01 s .* missed \|$/);
});

test("small ratios keep their digits", async () => {
  const row = (await rows({ commentEditRatio: 0.00602 })).find((line) => line.includes(": comment"));
  assert.match(row ?? "", /\| 0\.00602 × \| 0\.03 × \| 0\.01 × \| aim \|$/);
});

test("walls are those of homcc's warm build over that link, per job and per file", async () => {
  const run = (await readResults()).runs.find(
    ({ tool, phase, link }) => tool === "homcc" && phase === "warm" && link.upMegabits === 10,
  );
  assert.ok(run !== undefined);
  const own = { ...run, files: 10, wallMs: 4400, upBytes: 2900, launcherCpuMs: 1, daemonCpuMs: 2.5 };
  const table = await rows({}, [{ ...own, tool: "distcc", wallMs: 1 }, own]);
  assert.ok(
    table.some((line) => /^\| warm build over 10\/50 Mbit\/s, wall \| 4\.4 s \|.*aim \|$/.test(line)),
  );
  assert.ok(table.some((line) => line.startsWith("| bytes up a warm job | 290 B |")));
  assert.ok(
    table.some((line) => /^\| client CPU a file.* \| 3\.5 ms \| 4 ms \| 2 ms \| must \|$/.test(line)),
  );
  assert.ok(table.some((line) => /^\| warm build over 5\/25.* \| – \| 7 s \| 6 s \|  \|$/.test(line)));
});

test("what a run has not measured has a dash", async () => {
  const unmeasured = (await rows({})).filter((line) => line.includes("| – |"));
  assert.ok(unmeasured.some((line) => line.includes("back on a branch")));
  assert.ok(unmeasured.some((line) => line.includes("second developer")));
});
