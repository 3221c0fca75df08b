import assert from "node:assert/strict";
import { test } from "node:test";
import { type Digest, digestOf, parseDigest } from "./digest.ts";
import { PackedDigests } from "./packed-digests.ts";

const digestNumber = (number: number): Digest => digestOf(Buffer.from(`${number}`));

test("gives digests of any size back", () => {
  const digests = new PackedDigests();
  for (const [index, sizeBytes] of [0, 1, 4096, 2 ** 32, 2 ** 49 - 1].entries()) {
    const digest = parseDigest(`${digestNumber(index).slice(0, 64)}/${sizeBytes}`);
    assert.ok(digest !== undefined);
    digests.add(`${index}`, digest);
    assert.equal(digests.get(`${index}`), digest);
  }
  assert.equal(digests.get("another"), undefined);
});

test("half a million fit, in 64 bytes each, and are not forgotten for some more", () => {
  const segmentRows = 1 << 6;
  const digests = new PackedDigests(segmentRows);
  const add = (number: number): void => digests.add(`/a/file ${number}`, digestNumber(number));
  const scale = 1024;
  const count = Math.ceil(500_000 / scale);
  for (let number = 0; number < count; number += 1) add(number);
  for (let number = 0; number < count; number += 1)
    assert.equal(digests.get(`/a/file ${number}`), digestNumber(number));
  // Eight segments of 64 KiB rows take half a million.
  assert.ok(digests.bytes <= 64 * (count + segmentRows), `${digests.bytes}`);
  assert.equal(digests.size, count);
  for (let number = count; number < 10 * count; number += 1) add(number);
  assert.ok(digests.bytes <= 64 * 9 * segmentRows);
});
