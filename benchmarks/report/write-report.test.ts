import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { repository } from "../../test/support/repository.ts";
import { withMeasuredSection } from "./readme-section.ts";
import { readResults, reportFiles } from "./write-report.ts";

test("tables, plots and the README's numbers are those of the results", async () => {
  for (const [path, text] of await reportFiles(await readResults())) {
    const current = await readFile(join(repository, path), "utf8");
    assert.equal(current, text, `${path} is stale: run node benchmarks/report.ts`);
  }
});

test("every build of the results gave the recorded objects", async () => {
  const { runs, farm } = await readResults();
  assert.ok(runs.length > 0);
  for (const run of runs) assert.deepEqual([run.files, run.equalObjects], [farm.sources, farm.sources]);
});

test("a README without its marks is not written", async () => {
  const results = await readResults();
  assert.throws(() => withMeasuredSection("# homcc\n", results), /no measured section/);
});
