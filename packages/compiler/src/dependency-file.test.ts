import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import * as fc from "fast-check";
import { parseDependencyFile, prerequisitesOf } from "./dependency-file.ts";

/** A name as gcc writes it. */
function quote(name: string): string {
  let quoted = "";
  let backslashes = 0;
  for (const character of name) {
    if (character === " " || character === "\t") quoted += `${"\\".repeat(backslashes)}\\${character}`;
    else if (character === "#") quoted += "\\#";
    else quoted += character === "$" ? "$$" : character;
    backslashes = character === "\\" ? backslashes + 1 : 0;
  }
  return quoted;
}

const names = fc
  .array(fc.constantFrom("a", "b", " ", "\t", "$", "#", ":", "\\", "ä", "/", "..", "'", "%", "*"), {
    minLength: 1,
    maxLength: 10,
  })
  .map((parts) => `${parts.join("")}.h`);

test("what a writer with the compilers' rules wrote is read again", () => {
  const continued = fc.array(fc.tuple(names, fc.boolean()), { maxLength: 8 });
  fc.assert(
    fc.property(names, continued, fc.constantFrom("\n", "\r\n"), (target, written, lineEnd) => {
      const prerequisites = written.map(([name]) => name);
      const words = written.map(
        ([name, isContinued]) => `${isContinued ? ` \\${lineEnd}` : ""} ${quote(name)}`,
      );
      const phony = prerequisites.map((name) => `${quote(name)}:${lineEnd}`).join(lineEnd);
      const text = `${quote(target)}:${words.join("")}${lineEnd}${phony}`;
      const [first, ...rest] = parseDependencyFile(text);
      assert.deepEqual(first, { targets: [target], prerequisites });
      assert.deepEqual(
        rest,
        prerequisites.map((name) => ({ targets: [name], prerequisites: [] })),
      );
    }),
  );
});

test("any text is read without an error and to its end", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom("\\", " ", "\n", "\r", "$", "#", ":", "a", "\t") }),
      (text) => {
        parseDependencyFile(text);
      },
    ),
  );
});

test("a last line without its end, several targets and empty text", () => {
  assert.deepEqual(parseDependencyFile("a.o b.o: x.h"), [
    { targets: ["a.o", "b.o"], prerequisites: ["x.h"] },
  ]);
  assert.deepEqual(parseDependencyFile(""), []);
  assert.deepEqual(prerequisitesOf("a.o: x.h x.h\nb.o: x.h y.h\n"), ["x.h", "y.h"]);
});

const odd = [
  "a b.h",
  "a$b.h",
  "a#b.h",
  "a:b.h",
  "ä.h",
  "a\\b.h",
  "a\\ b.h",
  "a\\\\ b.h",
  "a\\#b.h",
  "a'b.h",
  "a: b.h",
  "a%*.h",
];
// clang takes a backslash in a name for a slash when it lists it.
const cases = [
  { compiler: "gcc", listed: odd },
  { compiler: "clang", listed: odd.filter((name) => !name.includes("\\")) },
];
for (const { compiler, listed } of cases) {
  test(`${compiler} lists odd names so that they are read again`, (t) => {
    if (spawnSync(compiler, ["--version"]).status !== 0) return t.skip(`needs ${compiler}`);
    const folder = mkdtempSync("/tmp/dependency-file-");
    t.after(() => rmSync(folder, { recursive: true }));
    for (const name of listed) writeFileSync(join(folder, name), "");
    const source = "s: $# ö.c";
    writeFileSync(join(folder, source), listed.map((name) => `#include "${name}"\n`).join(""));
    const text = execFileSync(compiler, ["-M", "-MP", "-nostdinc", "-ffreestanding", source], {
      cwd: folder,
      encoding: "utf8",
    });
    const [rule] = parseDependencyFile(text);
    assert.deepEqual(
      rule?.prerequisites.filter((name) => !name.endsWith("stdc-predef.h")),
      [source, ...listed],
    );
    return undefined;
  });
}
