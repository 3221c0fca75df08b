import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Fingerprints } from "./fingerprints.ts";

test("has what was added and nothing else, whatever the size at which it changes", () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.string(), { maxLength: 60 }),
      fc.nat({ max: 40 }),
      fc.nat({ max: 60 }),
      (texts, maxPlain, count) => {
        const set = new Fingerprints(maxPlain);
        const added = texts.slice(0, count);
        for (const text of [...added, ...added]) set.add(text);
        assert.deepEqual(
          texts.filter((text) => set.has(text)),
          added,
        );
        assert.equal(set.size, added.length);
      },
    ),
  );
});

test("a large one takes 8 to 16 bytes each, and takes paths that differ in one place for different ones", () => {
  const set = new Fingerprints(100);
  const path = (number: number): string => `/home/somebody/project/folder ${number % 100}/header-${number}.h`;
  const count = 50_000;
  for (let number = 0; number < count; number += 1) set.add(path(number));
  assert.ok(set.bytes >= 8 * count && set.bytes <= 16 * count, `${set.bytes}`);
  for (let number = 0; number < count; number += 1) assert.ok(set.has(path(number)));
  let wrong = count - set.size;
  for (let number = count; number < 2 * count; number += 1) if (set.has(path(number))) wrong += 1;
  // One is to be expected.
  assert.ok(wrong <= 20, `${wrong} of ${2 * count}`);
});
