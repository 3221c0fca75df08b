/** A pool whose servers are restarted one after the other, each by a successor that starts while it still works. */
import assert from "node:assert/strict";
import { chmod, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { recordLoad } from "../../support/reliability.ts";
import { removeFolder } from "../../support/remove-folder.ts";
import { replayedUnits } from "../../support/replayed-units.ts";
import { rollingRestarts } from "../../support/rolling-restarts.ts";

test("4 restarts under load: nothing fails, nothing is compiled at home", async () => {
  const records = await mkdtemp(join(tmpdir(), "homcc-test-"));
  await chmod(records, 0o755);
  try {
    const options = ["--executor", "replay", "--replay-dir", records, "--replay-root", "/"];
    const result = await rollingRestarts({
      servers: 2,
      clients: 2,
      restarts: 4,
      parallel: 4,
      start: () => ({ limit: 4, options }),
      prepare: async ({ project }) => {
        const { names, object } = await replayedUnits(project, records, 12, (index) => 50 + 30 * index, "/");
        return new Map(names.map((name) => [name, Buffer.from(object(name))]));
      },
    });
    assert.deepEqual([result.failed, result.local, result.different], [[], [], []]);
    assert.ok(result.compiled > 40, String(result.compiled));
    recordLoad("rolling restarts of 2 servers with 2 clients that compile without a pause", {
      restarts: 4,
      compiles: result.compiled,
      failed: result.failed.length,
      "at home": result.local.length,
    });
  } finally {
    await removeFolder(records);
  }
});
