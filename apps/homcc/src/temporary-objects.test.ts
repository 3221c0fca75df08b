import assert from "node:assert/strict";
import { readdir, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { scratchFolder } from "./remote/scratch-folder.fixture.ts";
import { TemporaryObjects } from "./temporary-objects.ts";

test("names as the drivers give their temporary objects, all different", () => {
  const objects = new TemporaryObjects(undefined);
  const gcc = Array.from({ length: 100 }, () => objects.objectPath("src/lonely.c", "gcc"));
  for (const path of gcc) assert.match(path, /^\/tmp\/cc[A-Za-z0-9]{6}\.o$/);
  assert.equal(new Set(gcc).size, 100);
  assert.match(objects.objectPath("src/lonely.c", "clang"), /^\/tmp\/lonely-[0-9a-f]{6}\.o$/);
});

test("in the caller's TMPDIR, when that is a path", () => {
  assert.match(new TemporaryObjects("/var/tmp").objectPath("a.c", "gcc"), /^\/var\/tmp\/cc/);
  for (const folder of ["", "relative", undefined]) {
    assert.match(new TemporaryObjects(folder).objectPath("a.c", "gcc"), /^\/tmp\/cc/);
  }
});

test("gone with the call, whether they were written or not", async () => {
  await using folder = await scratchFolder();
  {
    await using objects = new TemporaryObjects(folder.path);
    await writeFile(objects.objectPath("a.c", "gcc"), "object");
    objects.objectPath("b.c", "clang");
    assert.equal((await readdir(folder.path)).length, 1);
  }
  assert.deepEqual(await readdir(folder.path), []);
});
