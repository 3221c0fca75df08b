import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { parseIni } from "./ini.ts";
import { mergeIni, readKey } from "./ini-merge.ts";
import { compareWithPython as compare, hasPython, Python } from "./python-configparser.fixture.ts";

const handPicked: readonly (readonly string[])[] = [
  ["[homcc]\ncompression=lzo\nverbose = True\n"],
  ["[homcc]\na : b = c\nd=e:f\n"],
  ["[homcc]\na = 1\n  2\n\n  3\n# no\n  4\n\nb = 5\n"],
  ["[homcc]\na = 1\n ; comment\n  = x\n"],
  ["[homcc]\nA = 1\na = 2\n"],
  ["[a]\n[a]\n"],
  ["[DEFAULT]\nx = 1\n[DEFAULT]\ny = 2\n[s]\nz = %(X)s%(y)s%%\n"],
  ["[DEFAULT]\nx = 1\n[DEFAULT]\nx = 2\n"],
  ["a = 1\n[s]\n"],
  ["[s]\nno value\n"],
  ["[s]\n= 3\n"],
  ["[s]\na = %\n"],
  ["[s]\na = %(b)s\n"],
  ["[s]\na = %(a)s\n"],
  ["[s]\na = %(\n"],
  ["[s] trailing\na=1\n"],
  ["[s]x]\na=1\n"],
  ["[]\na=1\n"],
  ["[ s ]\na=1\n"],
  ["  [s]\n  a = 1\n  b = 2\n    c\n"],
  ["[s]\r\na = 1\r\n\tb\r[t]\rc = 2"],
  ["\u{feff}[s]\na = 1\n"],
  ["[s]\na = 1\n[DEFAULT]\n", "[DEFAULT]\nb = 2\n[s]\na = 3\n[t]\n"],
  ["[s]\na=x%(b)s\n", "[s]\nb=y\n"],
  ["[__proto__]\nconstructor = 1\ntostring : 2\n"],
  [""],
];

test("files are read as Python's ConfigParser reads them", async (t) => {
  if (!hasPython) {
    t.skip("needs python3");
    return;
  }
  using python = new Python();
  for (const texts of handPicked) {
    await compare(python, texts);
  }
});

const structure = [
  "[s]",
  "[t]",
  "[DEFAULT]",
  "[",
  "]",
  "a",
  "B",
  "b",
  "\n",
  "\n",
  "\n",
  "\r\n",
  "\r",
  " ",
  "  ",
  "\t",
];
const values = ["=", "=", ":", "#", ";", "%", "%%", "%(a)s", "%(B)s", "%(b", "1", "x"];
const unusual = ["\x1c", "\x85", "\xa0", "\u2028", "\u{feff}", "ß", "İ"];
const fragment = fc.constantFrom(...structure, ...values, ...unusual);
const noise = fc.array(fragment, { maxLength: 40 }).map((parts) => parts.join(""));
const line = fc.oneof(
  fc.constantFrom("[s]", "[t]", "[DEFAULT]", "", "# comment", "  ; comment", "  more", "\tmore = 2"),
  fc
    .tuple(fc.constantFrom("a", "b", "c", "d", "E"), fc.constantFrom("=", " = ", ": "), noise)
    .map(([key, delimiter, text]) => key + delimiter + text.replaceAll(/[\r\n]/g, "")),
);
const lines = fc.array(line, { maxLength: 12 }).map((parts) => `[s]\n${parts.join("\n")}`);

test("whatever the text, the result is that of Python's ConfigParser", async (t) => {
  if (!hasPython) {
    t.skip("needs python3");
    return;
  }
  using python = new Python();
  const files = fc.array(fc.oneof(noise, lines), { minLength: 1, maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(files, async (texts) => {
      await compare(python, texts);
    }),
    { numRuns: 1500 },
  );
});

test("after a bad line the rest of the file is read", () => {
  const file = parseIni("stray\n[homcc]\nbad\n  its continuation\na = 1\na = 2\n[homcc]\nb = 3\n", "file");
  assert.deepEqual(
    file.errors.map(({ kind, line: number }) => [kind, number]),
    [
      ["missing-section", 1],
      ["syntax", 3],
      ["duplicate-key", 6],
      ["duplicate-section", 7],
    ],
  );
  const section = file.sections.get("homcc");
  assert.deepEqual([section?.get("a")?.raw, section?.get("b")?.raw, section?.get("b")?.line], ["1", "3", 8]);
});

test("values that refer to each other do not grow without bound", () => {
  const levels = Array.from({ length: 9 }, (_, level) => `k${level + 1} = ${`%(k${level})s`.repeat(40)}`);
  const merged = mergeIni([parseIni(`[s]\nk0 = x\n${levels.join("\n")}\n`, "file")]);
  assert.equal(readKey(merged, "s", "k1").kind, "value");
  assert.equal(readKey(merged, "s", "k9").kind, "error");
});
