import assert from "node:assert/strict";
import { test } from "node:test";
import { childrenMs } from "./recording.ts";

test("the children's times of dash and of bash", () => {
  assert.equal(childrenMs("0m0.000000s 0m0.010000s\n1m2.500000s 0m0.250000s\n"), 62_750);
  assert.equal(childrenMs("noise\n0m0.001s 0m0.002s\n0m0.010s 0m0.020s\n"), 30);
  assert.throws(() => childrenMs("nothing\n"), /no times/);
});
