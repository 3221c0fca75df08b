import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf } from "@homcc/cas/digest";
import fc from "fast-check";
import { UploadRanking } from "./upload-ranking.ts";

const digest = digestOf(Buffer.from("x"));

test("whatever is added comes out in order", () => {
  const uploads = fc.array(fc.record({ wanted: fc.nat(5), sizeBytes: fc.nat(5) }));
  fc.assert(
    fc.property(uploads, fc.nat(10), (added, takenBetween) => {
      const ranking = new UploadRanking();
      for (const upload of added) ranking.add({ digest, ...upload });
      for (let count = 0; count < takenBetween; count += 1) {
        const first = ranking.take();
        if (first !== undefined) ranking.add(first);
      }
      const taken = added.map(() => ranking.take()).map((one) => [one?.wanted, one?.sizeBytes]);
      const sorted = added.toSorted((a, b) => b.wanted - a.wanted || a.sizeBytes - b.sizeBytes);
      assert.deepEqual(
        taken,
        sorted.map(({ wanted, sizeBytes }) => [wanted, sizeBytes]),
      );
      assert.equal(ranking.take(), undefined);
    }),
  );
});
