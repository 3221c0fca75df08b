import assert from "node:assert/strict";
import { test } from "node:test";
import { takeOldest } from "./take-oldest.ts";

const numbers = (count: number): Map<number, string> =>
  new Map(Array.from({ length: count }, (_, number) => [number, `${number}`]));

test("takes a sixteenth once there are too many, the oldest first", () => {
  const map = numbers(65);
  assert.deepEqual(takeOldest(map, 65), []);
  assert.deepEqual(takeOldest(map, 64), ["0", "1", "2", "3", "4"]);
  assert.equal(map.size, 60);
  assert.deepEqual([...map.keys()].slice(0, 2), [5, 6]);
});

test("takes what is too much of small ones, and all where nothing may stay", () => {
  assert.deepEqual(takeOldest(numbers(4), 3), ["0"]);
  const map = numbers(2);
  assert.deepEqual(takeOldest(map, 0), ["0", "1"]);
  assert.equal(map.size, 0);
});
