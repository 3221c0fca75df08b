import assert from "node:assert/strict";
import { test } from "node:test";
import { type Problem, ProblemMemory } from "./problem.ts";

function problem(message: string): Problem {
  return { severity: "error", source: "hosts:1:1", message, hint: "none" };
}

test("a problem is new once", () => {
  const memory = new ProblemMemory();
  assert.deepEqual(memory.takeNew([problem("a"), problem("b"), problem("a")]), [problem("a"), problem("b")]);
  assert.deepEqual(memory.takeNew([problem("b"), problem("c")]), [problem("c")]);
});

test("the memory is bounded", () => {
  const memory = new ProblemMemory();
  memory.takeNew([problem("first")]);
  for (let index = 0; index < 1000; index++) memory.takeNew([problem(String(index))]);
  assert.equal(memory.takeNew([problem("999")]).length, 0);
  assert.equal(memory.takeNew([problem("first")]).length, 1);
});
