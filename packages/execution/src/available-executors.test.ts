import assert from "node:assert/strict";
import { mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { probeExecutors } from "./available-executors.ts";
import { runnerProgram } from "./fixtures/test-bench.ts";
import { removeTree } from "./remove-tree.ts";
import { findSharedFolders } from "./shared-folders.ts";

test("says which executors work and why the others do not, and leaves nothing behind", async () => {
  const folder = mkdtempSync(join(tmpdir(), "homcc-probe-"));
  try {
    const probes = await probeExecutors({ runnerProgram, folder, shares: await findSharedFolders() });
    assert.deepEqual(
      probes.map((probe) => probe.name),
      ["namespace", "mapped"],
    );
    assert.deepEqual(probes[1], { name: "mapped", works: true });
    const without = await probeExecutors({ runnerProgram, folder, shares: ["/no/such/share"] });
    assert.ok(without[0]?.works === false);
    assert.match(without[0].reason, /^namespace: .*\/no\/such\/share: No such file/);
    const missing = await probeExecutors({ runnerProgram: "/no/runner", folder, shares: [] });
    assert.deepEqual(
      missing.map((probe) => probe.works),
      [false, false],
    );
    assert.deepEqual(readdirSync(folder), []);
  } finally {
    await removeTree(folder);
  }
});
