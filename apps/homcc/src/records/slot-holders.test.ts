import assert from "node:assert/strict";
import { test } from "node:test";
import { atHomePlace, SlotHolders } from "./slot-holders.ts";

test("who holds a slot where, and since when, until it is given back", () => {
  let nowMs = 0;
  const holders = new SlotHolders({ wallMs: () => 0, monotonicMs: () => nowMs });
  const first = holders.hold("build:3126", "a.cpp");
  nowMs = 1500;
  const second = holders.hold("build:3126", "b.cpp");
  holders.hold(atHomePlace, "g++ -o app");
  nowMs = 2000;
  assert.deepEqual(holders.at("build:3126"), [
    { job: "a.cpp", seconds: 2 },
    { job: "b.cpp", seconds: 0.5 },
  ]);
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  second[Symbol.dispose]();
  assert.deepEqual(holders.at("build:3126"), []);
  assert.deepEqual(holders.at(atHomePlace), [{ job: "g++ -o app", seconds: 0.5 }]);
});
