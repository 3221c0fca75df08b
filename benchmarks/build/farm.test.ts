import assert from "node:assert/strict";
import { test } from "node:test";
import { inListOrder } from "./farm.ts";

test("compiles in list order, each on the first slot that is free", () => {
  assert.equal(inListOrder([5, 3, 4, 1], 1), 13);
  assert.equal(inListOrder([5, 3, 4, 1], 2), 7);
  assert.equal(inListOrder([5, 3, 4, 1], 64), 5);
});
