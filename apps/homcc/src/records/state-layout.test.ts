import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { encodeJobState, type JobState, ownLayout, type WordLayout } from "./state-layout.ts";

const vectorFolder = join(import.meta.dirname, "../../../../test/vectors/state-file");

const state: JobState = { pid: 4242, file: "café.cpp", host: "build:3126", slot: 3, phase: "compile" };

/** As a C compiler laid the struct out. */
function vector(name: string): Buffer {
  const text = readFileSync(join(vectorFolder, `${name}.hex`), "utf8");
  return Buffer.from(text.replaceAll(/#.*$/gm, "").replaceAll(/\s/g, ""), "hex");
}

function encode(changes: Partial<JobState>, layout: WordLayout = { wordBytes: 8, order: "LE" }): Buffer {
  return encodeJobState({ ...state, ...changes }, layout);
}

test("the bytes are those of a C compiler, with words of 64 and of 32 bits", () => {
  assert.deepEqual(encode({}), vector("64-bit"));
  assert.deepEqual(encode({}, { wordBytes: 4, order: "LE" }), vector("32-bit"));
});

test("where the highest byte comes first, numbers do so and texts stay", () => {
  for (const wordBytes of [4, 8] as const) {
    const [big, little] = [encode({}, { wordBytes, order: "BE" }), encode({}, { wordBytes, order: "LE" })];
    const texts = 3 * wordBytes;
    assert.deepEqual(big.subarray(texts, texts + 256), little.subarray(texts, texts + 256));
    for (const offset of [0, wordBytes, 2 * wordBytes, texts + 264])
      assert.deepEqual(
        big.subarray(offset, offset + wordBytes),
        little.subarray(offset, offset + wordBytes).reverse(),
      );
    for (const offset of [texts + 256, texts + 260])
      assert.deepEqual(big.subarray(offset, offset + 4), little.subarray(offset, offset + 4).reverse());
  }
});

test("this machine's own layout is the one that is written", () => {
  assert.ok(["x64", "arm64"].includes(process.arch), "the tests know these machines");
  assert.deepEqual(ownLayout, { wordBytes: 8, order: "LE" });
  assert.deepEqual(encodeJobState(state), vector("64-bit"));
});

test("a long name is cut between two characters and ends with a zero byte, a line feed is none", () => {
  const file = encode({ file: `${"x".repeat(126)}é and more` }).subarray(24, 24 + 128);
  assert.equal(file.toString(), `${"x".repeat(126)}\0\0`);
  const host = encode({ host: "a\nb\u001b[2J" }).subarray(152, 152 + 8);
  assert.equal(host.toString(), "a?b?[2J\0");
});
