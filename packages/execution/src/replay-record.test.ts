import assert from "node:assert/strict";
import { test } from "node:test";
import { recordKey } from "./replay-record.ts";

test("a key is the path below the root", () => {
  assert.equal(recordKey("/p/src/a.cpp", "/p"), "src@a.cpp");
  assert.equal(recordKey("/p/src/a.cpp", "/p/"), "src@a.cpp");
  assert.equal(recordKey("/p/src/a.cpp", "/"), "p@src@a.cpp");
  assert.equal(recordKey("/pp/a.cpp", "/p"), undefined);
  assert.equal(recordKey("/p/", "/p"), undefined);
});
