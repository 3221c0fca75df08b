import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { markDependencies, unmarkDependencies } from "./kept-dependencies.ts";
import { Relocation } from "./relocation.ts";

/** What the compiler really writes for a project in `folder`. */
function written(compiler: string, folder: string, flags: readonly string[]): string {
  mkdirSync(join(folder, "include"), { recursive: true });
  writeFileSync(join(folder, "include/a.h"), "");
  writeFileSync(join(folder, "a.c"), '#include <stdio.h>\n#include "a.h"\n');
  const argv = [
    ...flags,
    `-I${folder}/include`,
    "-MF",
    join(folder, "a.d"),
    "-c",
    join(folder, "a.c"),
    "-o",
    "/dev/null",
  ];
  execFileSync(compiler, argv, { cwd: folder });
  return readFileSync(join(folder, "a.d"), "latin1");
}

for (const compiler of ["gcc", "clang"]) {
  for (const flags of [
    ["-MD", "-MT", "a.o"],
    ["-MMD", "-MT", "a.o", "-MP"],
  ]) {
    test(`${compiler} ${flags.join(" ")}: moved to longer and shorter folders, it is what the compiler writes there`, () => {
      const parent = mkdtempSync(join(tmpdir(), "homcc-test-"));
      try {
        const folders = ["p", "project", `a-folder/${"with-a-long-name/".repeat(5)}p`].map((name) =>
          join(parent, name),
        );
        for (const from of folders) {
          const marked = markDependencies(written(compiler, from, flags), new Relocation(from));
          assert.ok(marked !== undefined && !marked.includes(from));
          for (const to of folders) {
            const moved = unmarkDependencies(marked, new Relocation(to));
            // Texts of one line may be too long elsewhere, and do not say by whom they were made.
            if (moved !== undefined || flags[0] === "-MD") assert.equal(moved, written(compiler, to, flags));
          }
        }
      } finally {
        rmSync(parent, { recursive: true });
      }
    });
  }
}

test("a text that names the root anywhere else is not moved", () => {
  const relocation = new Relocation("/home/me/p");
  assert.equal(markDependencies("a.o: /x/home/me/p/a.c\n", relocation), undefined);
  assert.equal(markDependencies("a.o: /home/me/park/a.c /home/me/p/b\n", relocation), undefined);
  assert.equal(markDependencies("a.o: /home/me/p/a.c\n", relocation), "a.o: \0/a.c\n");
});
