import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { createLogger } from "@homcc/observability/log";
import { scratchFolder } from "../scratch-folder.fixture.ts";
import { readPools, writePool } from "./pool-file.ts";

const member = { name: "one.example.com", port: 3126, priority: 1, weight: 0 };

test("answers that DNS cannot have given are none; a file without any is told of once, and replaced by the next answer", async () => {
  await using scratch = await scratchFolder();
  const path = join(scratch.path, "pools.json");
  const lines: string[] = [];
  const logger = createLogger(
    "INFO",
    (_level, text) => text,
    (line) => lines.push(line.trimEnd()),
  );
  const good = { atMs: 1, members: [member] };
  await writeFile(
    path,
    JSON.stringify({
      good,
      "a moment that no calendar has": { ...good, atMs: 1e300 },
      "before there was DNS": { ...good, atMs: -1 },
      "a port": { ...good, members: [{ ...member, port: 70_000 }] },
      "no port": { ...good, members: [{ ...member, port: 0 }] },
      "half a priority": { ...good, members: [{ ...member, priority: 0.5 }] },
      "no name": { ...good, members: [{ port: 1, priority: 1, weight: 1 }] },
    }),
  );
  assert.deepEqual([...readPools(path, logger)], [["good", good]]);
  assert.deepEqual(lines, []);
  await writeFile(path, JSON.stringify({ version: 2, pools: [good] }));
  for (let times = 0; times < 2; times++) assert.equal(readPools(path, logger).size, 0);
  assert.deepEqual(lines, [`${path} is of another version, or damaged: nothing of it is used`]);
  writePool(path, "good", good, logger);
  assert.deepEqual([...readPools(path, logger)], [["good", good]]);
});
