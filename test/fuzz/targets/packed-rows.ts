import { PackedRows } from "@homcc/cas/packed-rows";
import { type FuzzTarget, mustEqual } from "../target.ts";

const segmentRows = 8;
const maxSegments = 3;

/** Each byte adds or looks up one of some names; a map says what must come of it. */
export const packedRows: FuzzTarget = {
  name: "packed-rows",
  property: "a packed table gives the first value of a name, until it is forgotten with those of its age",
  generate: (random) => random.bytes(random.below(200)),
  check(input) {
    const rows = new PackedRows({ valueBytes: 4, segmentRows, maxSegments });
    const segments: Map<string, number>[] = [];
    const find = (name: string): number | undefined =>
      segments.find((segment) => segment.has(name))?.get(name);
    for (const [index, byte] of input.entries()) {
      const name = `name ${byte >> 1}`;
      if ((byte & 1) === 0) {
        mustEqual(name, rows.get(name)?.readInt32LE(), find(name));
        continue;
      }
      const value = Buffer.alloc(4);
      value.writeInt32LE(index);
      rows.add(name, value);
      if (find(name) !== undefined) continue;
      if (segments.length === 0 || segments.at(-1)?.size === segmentRows) segments.push(new Map());
      if (segments.length > maxSegments) segments.shift();
      segments.at(-1)?.set(name, index);
    }
    mustEqual(
      "size",
      rows.size,
      segments.reduce((sum, { size }) => sum + size, 0),
    );
  },
};
