import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { PackedRows } from "./packed-rows.ts";

const valueBytes = 4;
const segmentRows = 4;

test("gives what was added, for any name, as a map does", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.string(), fc.nat({ max: 0xffff })), { maxLength: 60 }), (added) => {
      const rows = new PackedRows({ valueBytes, segmentRows });
      const expected = new Map<string, number>();
      for (const [name, number] of added) {
        rows.add(name, Uint8Array.of(0, 0, number >> 8, number & 0xff));
        // The first value counts.
        if (!expected.has(name)) expected.set(name, number);
      }
      assert.equal(rows.size, expected.size);
      for (const [name, number] of expected) assert.equal(rows.get(name)?.readUInt32BE(), number);
      assert.equal(rows.get("another".repeat(9)), undefined);
    }),
  );
});

test("of a table that is full the oldest segment goes, and its memory with it", () => {
  const rows = new PackedRows({ valueBytes, segmentRows: 100, maxSegments: 3 });
  const add = (number: number): void => rows.add(`name ${number}`, Uint8Array.of(number, 0));
  for (let number = 0; number < 300; number += 1) add(number);
  assert.equal(rows.size, 300);
  const fullBytes = rows.bytes;
  add(300);
  assert.equal(rows.size, 201);
  for (let number = 0; number <= 300; number += 1)
    assert.equal(rows.get(`name ${number}`)?.[0], number < 100 ? undefined : number & 0xff);
  for (let number = 301; number < 5_000; number += 1) add(number);
  assert.equal(rows.bytes, fullBytes);
});

test("a row takes its key, its value and two slots", () => {
  const rows = new PackedRows({ valueBytes, segmentRows });
  rows.add("one", Uint8Array.of(0, 1));
  assert.equal(rows.bytes, segmentRows * (16 + valueBytes + 8));
});
