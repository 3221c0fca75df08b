import assert from "node:assert/strict";
import { test } from "node:test";
import { ClockTraces } from "./clock-traces.ts";

const from = Date.UTC(2026, 10, 26, 12, 59, 50);
const traces = new ClockTraces(from, from + 20_000);

function isFound(text: string, encoding: BufferEncoding = "latin1"): boolean {
  return traces.isIn(Buffer.from(`\0x${text}\0`, encoding));
}

test("every second of the compile is found in every time zone, and no other", () => {
  for (const time of ["12:59:50", "12:59:59", "13:00:00", "13:00:10", "23:44:51", "18:30:05", "04:45:09"])
    assert.ok(isFound(time), time);
  for (const time of [
    "12:59:49",
    "13:00:11",
    "13:10:00",
    "12:52:55",
    "24:00:00",
    "00:60:00",
    "1:00:00",
    "aa:00:00",
  ])
    assert.ok(!isFound(time), time);
});

test("in wide characters too", () => {
  assert.ok(isFound("13:00:05", "utf16le"));
  const wide = Buffer.alloc(40);
  for (const [index, character] of Buffer.from("13:00:05").entries()) wide[4 + index * 4] = character;
  assert.ok(traces.isIn(wide));
});

test("a compile of a quarter of an hour may have had any time", () => {
  const long = new ClockTraces(from, from + 900_000);
  assert.ok(long.isIn(Buffer.from("07:07:07")));
  assert.ok(!long.isIn(Buffer.from("std::a::b:12")));
});

test("what begins or ends in the middle of a time", () => {
  for (const text of [":00:05", "3:00:05", "13:00:", "13:00:0", ":", ""])
    assert.ok(!traces.isIn(Buffer.from(text)), text);
});
