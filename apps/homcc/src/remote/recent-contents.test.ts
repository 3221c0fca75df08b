import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { digestOf } from "@homcc/cas/digest";
import { maxBlobDeltaBytes } from "@homcc/protocol/limits";
import { RecentContents } from "./recent-contents.ts";

const versions = ["one", "two", "three", "four", "five"].map((text) => Buffer.from(text.repeat(300)));
const [one, two, three, four, five] = versions.map(digestOf);
const elsewhere = digestOf(Buffer.alloc(1000, "x"));
const nowhere = (): boolean => false;

test("the base of an edited file is its newest earlier version, of those the server has if it has any", async () => {
  assert.ok(one !== undefined && two !== undefined && three !== undefined && four !== undefined);
  // One of them stays as it came.
  const contents = new RecentContents(1 << 20, 1000);
  assert.equal(contents.baseOf("/a.h", one, nowhere), undefined);
  for (const bytes of versions.slice(0, 3)) contents.keep("/a.h", digestOf(bytes), bytes);
  assert.equal(contents.baseOf("/a.h", four, nowhere)?.digest, three);
  assert.equal(contents.baseOf("/a.h", three, nowhere)?.digest, two);
  const base = contents.baseOf("/a.h", four, (digest) => digest === one);
  assert.equal(base?.digest, one);
  // At first as they came, then all but the last compressed.
  for (let turn = 0; turn < 2; turn++) {
    const again = contents.baseOf("/a.h", four, (digest) => digest === one);
    assert.deepEqual(Buffer.from((await again?.read()) ?? []), versions[0]);
    while (contents.usedBytes > 2500) await new Promise(setImmediate);
  }
  assert.equal(contents.baseOf("/b.h", four, nowhere), undefined, "another file");
});

test("three versions of a file are kept, and one that comes back is the newest again", () => {
  assert.ok(one !== undefined && two !== undefined && four !== undefined && five !== undefined);
  const contents = new RecentContents();
  for (const bytes of versions.slice(0, 4)) contents.keep("/a.h", digestOf(bytes), bytes);
  assert.notEqual(contents.baseOf("/a.h", five, (digest) => digest === one)?.digest, one);
  const bytes = versions[1] ?? Buffer.alloc(0);
  contents.keep("/a.h", two, bytes);
  assert.equal(contents.baseOf("/a.h", five, nowhere)?.digest, two);
});

test("memory is bounded, what was not used for longest goes first, and large files are not kept", () => {
  const contents = new RecentContents(100_000);
  const files = Array.from({ length: 30 }, () => randomBytes(9_000));
  for (const [index, bytes] of files.entries()) {
    contents.keep(`/${index}.h`, digestOf(bytes), bytes);
    assert.ok(contents.baseOf("/0.h", elsewhere, nowhere), "in use");
    assert.ok(contents.usedBytes <= 100_000);
  }
  assert.equal(contents.baseOf("/1.h", elsewhere, nowhere), undefined);
  assert.ok(contents.baseOf("/29.h", elsewhere, nowhere));
  const large = Buffer.alloc(maxBlobDeltaBytes + 1);
  contents.keep("/large.h", digestOf(large), large);
  assert.equal(contents.baseOf("/large.h", elsewhere, nowhere), undefined);
});

test("what is kept compressed holds no more memory than it counts", async () => {
  const contents = new RecentContents(32 << 20, 0);
  const before = process.memoryUsage().arrayBuffers;
  // Compresses to some 200 bytes; zlib's own buffers have 16 KiB.
  for (let number = 0; number < 500; number += 1) {
    const bytes = Buffer.alloc(2_000, `int function_${number}(int a, long b);\n`);
    contents.keep(`/${number}.h`, digestOf(bytes), bytes);
  }
  while (contents.usedBytes > 500 * 700) await new Promise(setImmediate);
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  assert.ok(typeof collect === "function");
  // The second collection waits for the first one's sweeping of buffers.
  collect();
  collect();
  const heldBytes = process.memoryUsage().arrayBuffers - before;
  assert.ok(heldBytes < 1 << 20, `${heldBytes} bytes for ${contents.usedBytes}`);
});
