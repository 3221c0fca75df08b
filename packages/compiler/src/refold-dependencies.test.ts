import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { findProgram } from "@homcc/compiler/find-program";
import { refoldDependencies } from "./refold-dependencies.ts";

/** Names of all lengths, some of which the compilers quote. */
const names = Array.from(
  { length: 60 },
  (_, i) => `${"x".repeat((i * 7) % 31)}${i % 5 === 0 ? " #$" : ""}${i}.h`,
);

/** What the compiler says of a source with these headers in `folder`. */
function dependenciesIn(compiler: string, folder: string, options: readonly string[]): string {
  const source = join(folder, "a.c");
  mkdirSync(dirname(source), { recursive: true });
  writeFileSync(source, names.map((name) => `#include "${name}"\n`).join(""));
  for (const name of names) writeFileSync(join(folder, name), "");
  return execFileSync(compiler, ["-M", ...options, source], { encoding: "latin1" });
}

for (const compiler of ["gcc", "clang"]) {
  for (const options of [
    [],
    ["-MP"],
    ["-MT", "first target", "-MT", "b/second.o"],
    ["-MT", "t".repeat(80)],
  ]) {
    test(`${compiler} ${options.join(" ").slice(0, 30)}: names that became shorter`, (t) => {
      if (findProgram(compiler, "/usr/bin") === undefined) return t.skip(`needs ${compiler}`);
      const root = mkdtempSync("/tmp/refold-");
      try {
        const mapped = `${root}/private/folder`;
        const inside = dependenciesIn(compiler, `${mapped}${root}/project`, options);
        const expected = dependenciesIn(compiler, `${root}/project`, options);
        assert.notEqual(inside.replaceAll(mapped, ""), expected, "nothing to refold");
        assert.equal(refoldDependencies(inside.replaceAll(mapped, "")), expected);
        assert.equal(refoldDependencies(expected), expected);
      } finally {
        rmSync(root, { recursive: true });
      }
      return undefined;
    });
  }
}

test("a rule in one line stays", () => {
  assert.equal(refoldDependencies("a.o: a.c b.h\n"), "a.o: a.c b.h\n");
});
