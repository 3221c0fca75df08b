import assert from "node:assert/strict";
import { test } from "node:test";
import { wrapperOutput } from "./wrapper-outputs.ts";

const ask = (family: "gcc" | "clang", words: string, argv: string, outputs: string[]): string | undefined =>
  wrapperOutput(words.split(" "), { argv: argv.split(" "), outputs }, { family, cwd: "/work" });

test("gcc: files that the caller did not ask for", () => {
  assert.equal(ask("gcc", "cc1 -MD a.d a.c -o /tmp/a.s", "w -c a.c", ["a.o"]), "-MD");
  assert.equal(ask("gcc", "cc1 -MD a.d a.c -gsplit-dwarf", "w -MMD -c a.c", ["a.o", "a.d"]), "-gsplit-dwarf");
  assert.equal(ask("gcc", "cc1 a.c -fopt-info-all=x", "w -c a.c", ["a.o"]), "-fopt-info-all=x");
});

test("gcc: files that the caller asked for under these or other words", () => {
  const words = "cc1 -MD a.d a.c -dumpbase a.c -fprofile-arcs -ftest-coverage -O2 -o /tmp/a.s";
  assert.equal(ask("gcc", words, "w --coverage -Wp,-MD,a.d -c a.c", ["a.o", "a.d", "a.gcno"]), undefined);
});

test("clang: by the files' names", () => {
  const words =
    "clang -cc1 -main-file-name a.c -coverage-notes-file /work/a.gcno -dependency-file a.d -o a.o";
  assert.equal(ask("clang", words, "w -c a.c", ["a.o", "a.gcno", "a.d"]), undefined);
  assert.equal(ask("clang", words, "w -c a.c", ["a.o", "a.gcno"]), "-dependency-file");
  assert.equal(ask("clang", "clang -cc1 -ftime-trace a.c", "w -c a.c", ["a.o"]), "-ftime-trace");
});
