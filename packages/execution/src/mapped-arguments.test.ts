import assert from "node:assert/strict";
import { test } from "node:test";
import { hasCode } from "@homcc/observability/error";
import { mapArguments, type MappedRoot } from "./mapped-arguments.ts";

const root: MappedRoot = { folder: "/F", cwd: "/p/q", isSystem: (path) => path.startsWith("/usr/") };
const map = (...words: string[]) => mapArguments(["gcc", ...words], root);

test("absolute paths of the client are mapped wherever they stand", () => {
  const rows: [words: string[], mapped: string[]][] = [
    [
      ["-c", "/p/a.c", "-o", "/p/a.o"],
      ["-c", "/F/p/a.c", "-o", "/F/p/a.o"],
    ],
    [
      ["-I/p/i", "-I", "/p/i", "-Ii", "-I."],
      ["-I/F/p/i", "-I", "/F/p/i", "-Ii", "-I."],
    ],
    [
      ["-iquote", "/p", "-iquote/p"],
      ["-iquote", "/F/p", "-iquote/F/p"],
    ],
    [
      ["-isystem", "/usr/include/x", "-isystem", "/p"],
      ["-isystem", "/usr/include/x", "-isystem", "/F/p"],
    ],
    [
      ["-include", "/p/a.h", "-imacros", "b.h"],
      ["-include", "/F/p/a.h", "-imacros", "b.h"],
    ],
    [
      ["--sysroot=/p/s", "-isysroot", "/p/s"],
      ["--sysroot=/F/p/s", "-isysroot", "/F/p/s"],
    ],
    [
      ["-MD", "-MF/p/a.d", "-MT", "/p/a.o", "-MQ", "/p/b.o"],
      ["-MD", "-MF/F/p/a.d", "-MT", "/p/a.o", "-MQ", "/p/b.o"],
    ],
    [["-Wp,-MD,/p/x.d"], ["-Wp,-MD,/F/p/x.d"]],
    [
      ["-DX=/p/a", "-D", "Y=/p", "-U", "/p"],
      ["-DX=/p/a", "-D", "Y=/p", "-U", "/p"],
    ],
    [
      ["-fsanitize-ignorelist=/p/l", "-std=c++17"],
      ["-fsanitize-ignorelist=/F/p/l", "-std=c++17"],
    ],
    [
      ["-o", "/dev/null", "../a.c"],
      ["-o", "/dev/null", "../a.c"],
    ],
  ];
  for (const [words, mapped] of rows)
    assert.deepEqual(map(...words).argv, ["gcc", "-ffile-prefix-map=/F=", ...mapped]);
});

test("dependency files are known as texts", () => {
  assert.deepEqual(map("-MF", "x/../a.dep").textOutputs, ["/p/q/a.dep"]);
  assert.deepEqual(map("-MF/b").textOutputs, ["/b"]);
  assert.deepEqual(map("-Wp,-MMD,c").textOutputs, ["/p/q/c"]);
});

test("what climbs above the root is refused", () => {
  for (const path of ["../../../etc/passwd", "/../etc", "/a/../../b", "x/../../../../y"]) {
    assert.throws(
      () => map(path),
      (error) => hasCode(error, "ERR_HOMCC_REFUSED"),
      path,
    );
  }
});
