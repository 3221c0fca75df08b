import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import fc from "fast-check";
import { pythonJson } from "./python-json.ts";
import { bytesOfText, textOfBytes } from "./surrogate-escape.ts";

test("as Python's json.dumps writes it", (t) => {
  const samples = fc.sample(
    fc.record({
      text: fc.string({ unit: "binary" }),
      control: fc.string({
        unit: fc.constantFrom("\n", "\r", "\t", "\f", "\b", '"', "\\", "/", "\x7f", "\x1f", "ü", "€", "😀"),
      }),
      list: fc.array(fc.string({ unit: "grapheme" })),
      number: fc.integer(),
      map: fc.dictionary(
        fc.string({ minLength: 1 }).filter((key) => !/^\d+$/.test(key)),
        fc.string(),
      ),
    }),
    200,
  );
  const script = "import json, sys\nfor line in sys.stdin: print(json.dumps(json.loads(line)))";
  const input = samples.map((sample) => JSON.stringify(sample)).join("\n");
  const python = spawnSync("python3", ["-c", script], { input, encoding: "utf8" });
  if (python.error !== undefined) return t.skip("needs python3");
  assert.equal(python.status, 0, python.stderr);
  assert.deepEqual(samples.map(pythonJson), python.stdout.trimEnd().split("\n"));
  return undefined;
});

test("members that are undefined are left out", () => {
  assert.equal(pythonJson({ a: 1, b: undefined, c: [] }), '{"a": 1, "c": []}');
});

test("bytes that are no UTF-8 survive as lone surrogates, as in Python", () => {
  assert.equal(pythonJson(textOfBytes(Buffer.from("gr\xf6\xdfe", "latin1"))), String.raw`"gr\udcf6\udcdfe"`);
  assert.equal(textOfBytes(Buffer.from("größe😀")), "größe😀");
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      assert.deepEqual(bytesOfText(textOfBytes(bytes)), Buffer.from(bytes));
    }),
  );
});
