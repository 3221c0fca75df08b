import assert from "node:assert/strict";
import { availableParallelism } from "node:os";
import { test } from "node:test";
import { createLocalSlots, localLimit } from "./local-slots.ts";

test("localhost/N, else as many slots as CPUs, and never none", () => {
  assert.equal(createLocalSlots(7).limit, 7);
  assert.equal(createLocalSlots(undefined).limit, availableParallelism());
  assert.equal(localLimit(0), 1);
});
