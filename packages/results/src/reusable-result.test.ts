import assert from "node:assert/strict";
import { test } from "node:test";
import { objectionTo } from "./reusable-result.ts";

const compiled = { termination: { kind: "exited", status: 0 }, undeclared: [], outputs: [] } as const;

test("a result is kept when the compiler read nothing but its inputs", () => {
  assert.equal(objectionTo({ ...compiled, unlisted: [] }), undefined);
  assert.equal(objectionTo(compiled), undefined, "it did not say");
  assert.equal(objectionTo({ ...compiled, unlisted: ["/w/late.h"] }), "it also read /w/late.h");
});
