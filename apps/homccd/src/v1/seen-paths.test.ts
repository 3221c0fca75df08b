import assert from "node:assert/strict";
import { test } from "node:test";
import { SeenPaths } from "./seen-paths.ts";

const filesOf = (...paths: string[]): Map<string, string> => new Map(paths.map((path) => [path, ""]));

test("what a job must not find: names of its files in other folders, where earlier jobs had them", () => {
  const seen = new SeenPaths();
  for (const path of ["/w/a.c", "/w/first/value.h", "/w/second/value.h", "/w/other.h", "/w/a.c"])
    seen.add(path);
  assert.equal(seen.size, 4);
  assert.deepEqual(seen.absentFor(filesOf("/w/a.c", "/w/second/value.h")), ["/w/first/value.h"]);
  assert.deepEqual(seen.absentFor(filesOf("/w/b.c", "/w/third/value.h")).toSorted(), [
    "/w/first/value.h",
    "/w/second/value.h",
  ]);
  assert.deepEqual(seen.absentFor(filesOf("/w/b.c")), []);
});
