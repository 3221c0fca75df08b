import assert from "node:assert/strict";
import { test } from "node:test";
import { pack } from "@homcc/protocol/compression";
import { DataCompression, type DataCompressionOptions } from "./data-compression.ts";

const text = Buffer.from(
  Array.from({ length: 20_000 }, (_, index) => `symbol${(index * index) % 4_099} ${index % 97}\n`).join(""),
);

const unknown = { bytesPerSecond: undefined };
const slow = { bytesPerSecond: 1e6 };
const fast = { bytesPerSecond: 100e6 };

function compression(changes: Partial<DataCompressionOptions> = {}): DataCompression {
  return new DataCompression({
    role: "server",
    zstd: true,
    rate: unknown,
    pace: { ...unknown, isNear: false },
    ...changes,
  });
}

test("a link is fast as its socket says, or else its pace, or else its round trip", () => {
  const isFast = (rate: object, pace: object, isNear: boolean): boolean =>
    compression({ rate: { ...unknown, ...rate }, pace: { ...unknown, ...pace, isNear } }).isFast;
  assert.equal(isFast(unknown, unknown, false), false);
  assert.equal(isFast(unknown, unknown, true), true);
  assert.equal(isFast(unknown, slow, true), false);
  assert.equal(isFast(unknown, fast, false), true);
  assert.equal(isFast(slow, fast, true), false);
  assert.equal(isFast(fast, slow, false), true);
});

test("a server is more thorough than a laptop, and both are less so on a fast link", async () => {
  const levels = await Promise.all([1, 3, 6].map((level) => pack(text, level)));
  assert.equal(
    new Set(levels.map(({ payload }) => payload.byteLength)).size,
    3,
    "the text tells levels apart",
  );
  const [fastest, laptop, server] = levels;
  assert.deepEqual(await compression({ role: "server" }).pack(text), server);
  assert.deepEqual(await compression({ role: "client" }).pack(text), laptop);
  for (const role of ["client", "server"] as const)
    assert.deepEqual(await compression({ role, rate: fast }).pack(text), fastest);
});

test("nothing is packed for a peer that does not read it, and nothing twice", async () => {
  const plain = await compression({ zstd: false }).pack(text);
  assert.deepEqual([plain.zstd, plain.payload], [false, text]);
  const packed = await compression().pack(text);
  assert.equal(await compression().pack(packed), packed);
});
