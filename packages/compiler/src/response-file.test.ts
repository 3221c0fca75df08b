import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { expandResponseFiles, splitResponseFile } from "./response-file.ts";

const reader = (contents: Readonly<Record<string, string>>) => (path: string) =>
  Promise.resolve(contents[path]);

test("GNU quoting", () => {
  assert.deepEqual(splitResponseFile("-DA  -DB\n\t-DC\r\n", "gcc"), ["-DA", "-DB", "-DC"]);
  assert.deepEqual(splitResponseFile(`'a b' "c d" e\\ f "g\\"h" 'i\\'j'`, "gcc"), [
    "a b",
    "c d",
    "e f",
    'g"h',
    "i'j",
  ]);
  assert.deepEqual(splitResponseFile(`-D'X=1 2'3`, "clang"), ["-DX=1 23"]);
  assert.deepEqual(splitResponseFile(`'' a ""`, "gcc"), ["", "a", ""]);
  assert.deepEqual(splitResponseFile(`'' a ""`, "clang"), ["a"]);
  assert.deepEqual(splitResponseFile(" \n", "gcc"), []);
  assert.deepEqual(splitResponseFile("a\\", "gcc"), ["a"]);
  assert.deepEqual(splitResponseFile("a\\", "clang"), ["a\\"]);
});

const quote = (word: string) => `"${word.replaceAll(/[\\"]/g, "\\$&")}"`;

test("words survive quoting", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ minLength: 1 })), (words) => {
      assert.deepEqual(splitResponseFile(words.map(quote).join(" "), "clang"), words);
    }),
  );
});

test("files in files are expanded in place", async () => {
  const expansion = await expandResponseFiles(
    ["-c", "@a", "z.c"],
    "gcc",
    reader({ a: "-DA @b -DC", b: "-DB1 '-DB 2'" }),
  );
  assert.deepEqual(expansion, {
    kind: "expanded",
    argv: ["-c", "-DA", "-DB1", "-DB 2", "-DC", "z.c"],
    changed: true,
  });
});

test("a file that cannot be read stays a word, and one that names itself is given up", async () => {
  const words = ["@missing", "@", "a@b", "@binary"];
  const expansion = await expandResponseFiles(words, "gcc", reader({ binary: "-c \0 -DX" }));
  assert.deepEqual(expansion, { kind: "expanded", argv: words, changed: true });
  const endless = await expandResponseFiles(["@a"], "gcc", reader({ a: "@b", b: "@a" }));
  assert.deepEqual(endless, { kind: "excessive", file: "@a" });
  const wide = await expandResponseFiles(["@a"], "gcc", reader({ a: "@b ".repeat(500), b: "x" }));
  assert.equal(wide.kind, "excessive");
});
