import assert from "node:assert/strict";
import { test } from "node:test";
import { columns } from "./columns.ts";

test("columns begin below each other, and no line ends with blanks", () => {
  assert.deepEqual(columns([["a", "bb", ""], ["cccc", "d", "e"], []]), ["a     bb", "cccc  d   e", ""]);
});
