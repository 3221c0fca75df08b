/** `#embed` and `__has_embed`, compared with the compiler that knows them. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { type InstalledCompiler, Project } from "./discovery.fixture.ts";
import { compareWithCompiler, createScanner, scan } from "./scanning.fixture.ts";

const program = "/usr/bin/clang-19";
const clang: InstalledCompiler = { name: "clang-19", family: "clang", path: program };
const needs = existsSync(program) ? {} : { skip: "needs clang-19" };
const args = ["-x", "c", "-std=c23", "--embed-dir=one", "--embed-dir=two"];
const c = { source: "a.c", language: "c" } as const;

interface Case {
  readonly files: Readonly<Record<string, string>>;
  readonly reads: readonly string[];
  readonly absent?: readonly string[];
}

const cases: Readonly<Record<string, Case>> = {
  "beside the file that embeds it": {
    files: { "a.c": '#include "sub/x.h"\n', "sub/x.h": '#embed "b"\n', "sub/b": "1", b: "", "one/b": "" },
    reads: ["a.c", "sub/b", "sub/x.h"],
  },
  "in the working folder": {
    files: { "a.c": '#include "sub/x.h"\n', "sub/x.h": '#embed "b"\n', b: "1", "one/b": "" },
    reads: ["a.c", "b", "sub/x.h"],
    absent: ["sub/b"],
  },
  "in folders of their own": {
    files: { "a.c": '#embed <b>\n#embed "c/d"\n', b: "", "two/b": "1", "one/c/d": "1" },
    reads: ["a.c", "one/c/d", "two/b"],
    absent: ["c", "one/b"],
  },
  "computed, with parameters": {
    files: {
      "a.c": '#define B "b"\n#define L limit(1) if_empty(0)\n#embed B L\n#embed "c" suffix(,) limit(2)\n',
      b: "",
      c: "",
    },
    reads: ["a.c", "b", "c"],
  },
  "where it is not compiled": {
    files: { "a.c": '#if 0\n#embed "none"\n#endif\n#if __has_embed("none")\n#embed "none"\n#endif\n' },
    reads: ["a.c"],
    absent: ["none", "one/none", "two/none"],
  },
  "asked for: absent, empty, found": {
    files: {
      "a.c":
        '#if __has_embed("no") == __STDC_EMBED_NOT_FOUND__ && __has_embed(<empty>) == __STDC_EMBED_EMPTY__\n#include "x.h"\n#endif\n#define HAVE(x) __has_embed(x)\n#if HAVE("b") == __STDC_EMBED_FOUND__\n#include "y.h"\n#endif\n',
      "two/empty": "",
      b: "1",
      "x.h": "",
      "y.h": "",
    },
    reads: ["a.c", "b", "two/empty", "x.h", "y.h"],
    absent: ["no", "one/empty"],
  },
};

for (const [what, { files, reads, absent = [] }] of Object.entries(cases)) {
  test(`bytes are embedded: ${what}`, needs, async (t) => {
    const project = new Project(t);
    for (const folder of ["one", "two"]) project.makeFolder(folder);
    for (const [name, text] of Object.entries(files)) project.write(name, text);
    const scanner = createScanner();
    const compilation = project.compilation("a.c", args, c);
    const first = await compareWithCompiler(scanner, project, clang, compilation);
    assert.deepEqual(first.own, reads);
    for (const name of absent) assert.ok(first.absent.includes(name), `${name} in ${first.absent.join(" ")}`);
    assert.deepEqual(await compareWithCompiler(scanner, project, clang, compilation), first, "replayed");
  });
}

test("an answer that becomes another one is another scan", needs, async (t) => {
  const project = new Project(t);
  project.write(
    "a.c",
    '#if __has_embed("b") == 1\n#include "found.h"\n#elif __has_embed("b")\n#include "empty.h"\n#endif\n',
  );
  for (const name of ["found.h", "empty.h"]) project.write(name, "");
  const scanner = createScanner();
  const reads = async (): Promise<readonly string[]> =>
    (await compareWithCompiler(scanner, project, clang, project.compilation("a.c", args, c))).own;
  assert.deepEqual(await reads(), ["a.c"]);
  project.write("b", "1");
  assert.deepEqual(await reads(), ["a.c", "b", "found.h"]);
  project.write("b", "");
  assert.deepEqual(await reads(), ["a.c", "b", "empty.h"]);
});

test("what is not understood of it is for the compiler", needs, async (t) => {
  const project = new Project(t);
  project.write("real/x.h", '#embed "b"\n');
  project.write("real/b", "1");
  project.makeFolder("sub");
  project.link("sub/x.h", "../real/x.h");
  project.link("same.h", "real/../other.h");
  project.write("other.h", '#embed "real/b"\n');
  for (const [text, reason] of [
    ['#if __has_embed("real/b" limit(0))\n#endif\n', /^condition: parameters/],
    ['#include "sub/x.h"\n', /^construct: #embed in .*sub\/x\.h/],
    ['#embed "none"\n', /^missing-include/],
    ['#include "same.h"\n', undefined],
  ] as const) {
    project.write("a.c", text);
    const found = await scan(createScanner(), project, clang, project.compilation("a.c", args, c));
    if (reason === undefined) assert.equal(typeof found, "object");
    else assert.match(typeof found === "string" ? found : "scanned", reason);
  }
});
