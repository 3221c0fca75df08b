/** 20 upgrades and downgrades of a pool under load, with clients and servers of this version and of an older one. */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { olderVersion } from "../../support/older-version.ts";
import { recordLoad } from "../../support/reliability.ts";
import { homccdProgram, homccProgram } from "../../support/repository.ts";
import { rollingRestarts } from "../../support/rolling-restarts.ts";
import type { Workplace } from "../../support/workplace.ts";

/** Before servers said that they drain, kept accounts of clients, or took a client's toolchain. */
const olderCommit = "2bcbf09";

const units = 10;

/** Real sources, a header that they share, and what the compiler makes of them here. */
async function prepare(workplace: Workplace): Promise<ReadonlyMap<string, Uint8Array>> {
  const { project } = workplace;
  await writeFile(
    join(project, "shared.h"),
    "#include <stdio.h>\nstatic inline int twice(int x) { return 2 * x; }\n",
  );
  const objects = new Map<string, Uint8Array>();
  for (let index = 0; index < units; index += 1) {
    const name = `unit${index}.c`;
    await writeFile(
      join(project, name),
      `#include "shared.h"\nint f${index}(int x) { return printf("%d", twice(x)); }\n`,
    );
    const { status, stderr } = await workplace.run(["gcc", "-c", name, "-o", "plain.o"]);
    assert.equal(status, 0, stderr);
    objects.set(name, await readFile(join(project, "plain.o")));
  }
  return objects;
}

test("20 restarts under load, every other one with the older version", async (t) => {
  const older = await olderVersion(olderCommit);
  if (older === undefined) return t.skip(`the history does not reach to ${olderCommit}`);
  const restarts = 20;
  const result = await rollingRestarts({
    servers: 3,
    clients: 2,
    restarts,
    parallel: 3,
    start: (index) => ({ limit: 3, program: index % 2 === 0 ? homccdProgram : older.homccd }),
    launcher: (index) => (index === 0 ? homccProgram : older.homcc),
    prepare,
  });
  assert.deepEqual([result.failed, result.different, result.local], [[], [], []]);
  recordLoad(
    "rolling restarts of 3 servers with 2 clients that compile without a pause, old and new versions mixed",
    {
      restarts,
      compiles: result.compiled,
      failed: result.failed.length,
      "at home": result.local.length,
    },
  );
});
