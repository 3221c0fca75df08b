import assert from "node:assert/strict";
import { availableParallelism } from "node:os";
import { test } from "node:test";
import { processorCount } from "./processors.ts";

test("the processors are counted as Node counts them, at first and from memory", () => {
  assert.equal(processorCount(), availableParallelism());
  assert.equal(processorCount(), availableParallelism());
});
