import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { readKnown } from "./read-known.ts";
import { release } from "./release.ts";

test("reads a file of the size it should have, and shows that another has another", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "homcc-read-"));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, "file");
  await writeFile(path, "x".repeat(50_000));
  const bytes = await readKnown(path, 50_000);
  assert.equal(Buffer.from(bytes).toString(), "x".repeat(50_000));
  assert.equal((await readKnown(path, 49_999)).byteLength, 50_000);
  assert.equal((await readKnown(path, 50_001)).byteLength, 50_000);
  assert.equal((await readKnown(path, 0)).byteLength, 1);
  await assert.rejects(readKnown(join(folder, "none"), 1), { code: "ENOENT" });
  release(bytes);
  assert.equal(bytes.byteLength, 0);
});
