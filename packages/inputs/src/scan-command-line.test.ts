import assert from "node:assert/strict";
import { test } from "node:test";
import type { Compilation } from "@homcc/compiler/compilation";
import { CannotScan } from "@homcc/scanner/cannot-scan";
import { readScanCommandLine, type ScanCommandLine } from "./scan-command-line.ts";

function read(args: readonly string[], more: Partial<Compilation> = {}): ScanCommandLine {
  const compilation: Compilation = {
    argv: ["cc", "-c", ...args, "a.c"],
    source: "a.c",
    language: "c",
    outputs: ["a.o"],
    mainOutput: "a.o",
    discoveryArguments: args,
    includeDirectories: [],
    forcedIncludes: [],
    extraInputs: [],
    replay: false,
    mappedVeto: undefined,
    ...more,
  };
  return readScanCommandLine(compilation, "gcc");
}

test("macros come in their order, in all spellings", () => {
  const { roots } = read([
    "-DA",
    "-UA",
    "-D",
    "B=2=3",
    "-U",
    "B",
    "-DF(x)=x",
    "--define-macro=C",
    "--undefine-macro",
    "C",
    "-DE=",
  ]);
  assert.equal(
    Buffer.from(roots.macros).toString(),
    "#define A 1\n#undef A\n#define B 2=3\n#undef B\n#define F(x) x\n#define C 1\n#undef C\n#define E \n",
  );
});

test("forced includes are told apart", () => {
  const { roots } = read(["-include", "a.h", "-imacros", "m.h", "--include=b.h"], {
    forcedIncludes: ["a.h", "m.h", "b.h"],
  });
  assert.deepEqual(roots.includes, ["a.h", "b.h"]);
  assert.deepEqual(roots.macroFiles, ["m.h"]);
  assert.throws(() => read(["-include", "a.h"], { forcedIncludes: ["a.h", "b.h"] }), CannotScan);
});

test("what is predefined depends on neither macros nor folders", () => {
  const { languageArguments } = read([
    "-O2",
    "-DA",
    "-Ix",
    "-I",
    "y",
    "-isystem",
    "z",
    "-iquoteq",
    "-std=c11",
    "-target",
    "t",
    "-m32",
  ]);
  assert.deepEqual(languageArguments, ["-O2", "-std=c11", "-target", "t", "-m32"]);
});

test("options that are not modelled are refused", () => {
  const refused = [
    "-I-",
    "-Xclang",
    "-fmodules",
    "-ivfsoverlay",
    "-traditional-cpp",
    "-fms-extensions",
    "-undef",
    "-fdirectives-only",
    "-include-pch",
    "-Aa=b",
    "-finput-charset=latin1",
    "@file",
  ];
  for (const option of refused) assert.throws(() => read([option]), CannotScan, option);
  for (const option of ["-Wp,-DA", "-Wp,-MD,a.d,-include,x.h", "-Xpreprocessor"])
    assert.throws(() => read([], { argv: ["cc", option, "a.c"] }), CannotScan, option);
  read([], { argv: ["cc", "-Wp,-MD,Dir/a.d", "a.c"] });
});
