import assert from "node:assert/strict";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { hasCode } from "@homcc/observability/error";
import { openPoolKey, poolKeyFile, readPoolKey } from "./pool-key.ts";
import { scratchFolder } from "./scratch-folder.fixture.ts";

test("it is made once, for its owner alone, also when twenty need it at once", async (t) => {
  const folder = join(await scratchFolder(t), "identity");
  const keys = await Promise.all(
    Array.from({ length: 20 }, async () => await openPoolKey(folder, Date.now())),
  );
  assert.equal(new Set(keys.map(({ fingerprint }) => fingerprint)).size, 1);
  assert.equal((await stat(join(folder, poolKeyFile))).mode & 0o777, 0o600);
  assert.deepEqual(await readdir(folder), [poolKeyFile], "nothing is left behind");
});

test("a copy is the same key", async (t) => {
  const [one, other] = [await scratchFolder(t), await scratchFolder(t)];
  const { fingerprint } = await openPoolKey(one, Date.now());
  await writeFile(join(other, poolKeyFile), await readFile(join(one, poolKeyFile)));
  assert.equal((await readPoolKey(other))?.fingerprint, fingerprint);
});

test("a damaged file is told, and never replaced", async (t) => {
  const folder = await scratchFolder(t);
  await openPoolKey(folder, Date.now());
  const path = join(folder, poolKeyFile);
  const text = await readFile(path, "utf8");
  const other = await readFile(join((await otherKey(t)).folder, poolKeyFile), "utf8");
  const certificate = /-----BEGIN CERTIFICATE[\s\S]*/.exec(other)?.[0] ?? "";
  for (const damaged of [
    "",
    text.slice(0, 200),
    text.replace(/-----BEGIN CERTIFICATE[\s\S]*/, certificate),
  ]) {
    await writeFile(path, damaged);
    await assert.rejects(openPoolKey(folder, Date.now()), (error) =>
      hasCode(error, "ERR_HOMCC_CONFIGURATION"),
    );
    assert.equal(await readFile(path, "utf8"), damaged);
  }
});

async function otherKey(t: Parameters<typeof scratchFolder>[0]): Promise<{ readonly folder: string }> {
  const folder = await scratchFolder(t);
  await openPoolKey(folder, Date.now());
  return { folder };
}
