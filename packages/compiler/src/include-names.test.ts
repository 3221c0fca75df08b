import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import * as fc from "fast-check";
import { prerequisitesOf } from "./dependency-file.ts";
import { extractIncludeNames, type IncludeNames } from "./include-names.ts";
import { spliceLines } from "./source-bytes.ts";

function extract(source: string): IncludeNames {
  return extractIncludeNames(Buffer.from(source, "utf8"));
}

function shortNames(source: string): string[] {
  return extract(source).names.map(
    ({ kind, form, name }) => `${kind} ${form === "quote" ? `"${name}"` : `<${name}>`}`,
  );
}

const examples: readonly [string, string, readonly string[]][] = [
  ["plain forms", '#include "a.h"\n#include <b/c.h>\n', ['include "a.h"', "include <b/c.h>"]],
  [
    "blanks and digraph",
    '  # \t include"a.h"\n%:include <b.h>\n??=include "c.h"',
    ['include "a.h"', "include <b.h>", 'include "c.h"'],
  ],
  [
    "next, import, embed",
    '#include_next <a.h>\n#import "b.h"\n#embed <c.bin> limit(3)\n',
    ["include_next <a.h>", 'import "b.h"', "embed <c.bin>"],
  ],
  [
    "comments",
    '/* x */ # /* y */ include /* z */ "a.h" // "b.h"\n/*\n#include "no.h"\n*/\n// \\\n#include "no2.h"\n',
    ['include "a.h"'],
  ],
  ["a comment over lines before a directive", '/* a\n b */ #include "a.h"\n', ['include "a.h"']],
  [
    "splices",
    '#inc\\\nlude \\\r\n"a\\\n.h"\nx \\\n#include "no.h"\n#\\  \ninclude "b.h"\n',
    ['include "a.h"', 'include "b.h"'],
  ],
  [
    "CRLF, CR and byte order mark",
    '\uFEFF#include "a.h"\r\n#include "b.h"\r#include "c.h"',
    ['include "a.h"', 'include "b.h"', 'include "c.h"'],
  ],
  [
    "strings and characters",
    'char *s = "/*"; char c = \'"\';\n#include "a.h"\nint n = 1\'000\'000; auto u = u8\'"\';\n#include "b.h"\n',
    ['include "a.h"', 'include "b.h"'],
  ],
  ["an apostrophe in a skipped branch", "#if 0\ndon't \"stop\n#endif\n#include <a.h>\n", ["include <a.h>"]],
  [
    "raw strings",
    'auto s = R"x(\n#include "no.h"\n)" )x"; auto t = u8R"(\n#include "no.h"\n)";\n#include "a.h"\n',
    ['include "a.h"'],
  ],
  [
    "no raw string",
    'xR"x(";\n#include "a.h"\nR"unterminated(\n#include "b.h"\n',
    ['include "a.h"', 'include "b.h"'],
  ],
  [
    "all branches",
    "#ifdef A\n#include <a.h>\n#else\n#include <b.h>\n#endif\n",
    ["include <a.h>", "include <b.h>"],
  ],
  [
    "questions",
    '#if defined(X) && __has_include(<a.h>) || !__has_include("b.h")\n#elif __has_include_next ( <c.h> )\n#if __has_embed(<d.bin> limit(1))\n',
    ["has_include <a.h>", 'has_include "b.h"', "has_include_next <c.h>", "has_embed <d.bin>"],
  ],
  [
    "questions in macros",
    '#define HAVE(x) __has_include(x)\n#define HAS_A (__has_include(<a.h>))\n#if HAVE(<b.h>) && F("c.h")\n',
    ["has_include <a.h>"],
  ],
  [
    "pragmas",
    '#pragma GCC dependency "a.y" text\n_Pragma("GCC dependency \\"b.y\\"")\n',
    ['dependency "a.y"', 'dependency "b.y"'],
  ],
  [
    "line directives",
    '#line 7 "a \\"b\\".y"\n# 3 "c.y" 2\n# 1 "<built-in>"\n#line 9\n',
    ['line "a "b".y"', 'line "c.y"'],
  ],
  ["no name", '#include\n#include "open\n#include <open\n#include "a.h"\n', ['include "a.h"']],
];
for (const [what, source, names] of examples) {
  test(`names: ${what}`, () => assert.deepEqual(shortNames(source), names));
}

test("computed operands name their macro, and header-like macros their value", () => {
  const names = extract(
    '#include CONFIG\n#if __has_include(OTHER)\n#endif\n#define CONFIG <a.h>\n#define OTHER "b.h"\n',
  );
  assert.deepEqual(names.computed, [
    { macro: "CONFIG", kind: "include" },
    { macro: "OTHER", kind: "has_include" },
  ]);
  assert.deepEqual(names.defined, [
    { macro: "CONFIG", form: "angle", name: "a.h" },
    { macro: "OTHER", form: "quote", name: "b.h" },
  ]);
});

test("a macro's parameter as operand is no computed name", () => {
  assert.deepEqual(extract("#define HAVE(x, y) __has_include(y)\n").computed, []);
  assert.deepEqual(extract("#define HAVE(x) __has_include(Z)\n").computed, [
    { macro: "Z", kind: "has_include" },
  ]);
});

test("macros that ask: by a parameter, as another name, for a quoted name", () => {
  const { asking, askedAnywhere, names } = extract(
    "#define HAVE(x) __has_include(x)\n#define PART(n) __has_include_next(<sub/n.h>)\n#define ASK __has_include\n" +
      '#define HAS_A __has_include("a.h")\n#define PLAIN(x) __has_include(<b.h>)\n',
  );
  assert.deepEqual(asking, [
    { macro: "HAVE", kind: "has_include" },
    { macro: "PART", kind: "has_include_next" },
    { macro: "ASK", kind: "has_include" },
  ]);
  assert.deepEqual(askedAnywhere, [{ kind: "has_include", form: "quote", name: "a.h" }]);
  assert.deepEqual(names, [{ kind: "has_include", form: "angle", name: "b.h" }]);
});

test("with an eye to macros: what they are given, who uses them, how else operands are defined", () => {
  const source = "#define ALL(x) HAVE(x)\n#define NAME OTHER\n#if HAVE(<b.h>) || HAVE(NAME)\n#endif\n";
  const names = extractIncludeNames(Buffer.from(source), {
    asking: new Map([["HAVE", "has_include"]]),
    operands: new Set(["NAME"]),
  });
  assert.deepEqual(names.names, [{ kind: "has_include", form: "angle", name: "b.h" }]);
  assert.deepEqual(names.computed, [{ macro: "NAME", kind: "has_include" }]);
  assert.deepEqual(names.asking, [{ macro: "ALL", kind: "has_include" }]);
  assert.deepEqual(names.opaque, ["NAME"]);
});

test("a precompiled header in preprocessed text", () => {
  assert.ok(extract('#pragma GCC pch_preprocess "x.h.gch"\n').precompiled);
  assert.ok(!extract("#pragma GCC poison x\n").precompiled);
});

test("only includes up to the first unconditional one can be the first", () => {
  const { firstIncludes } = extract("#ifdef A\n#include <a.h>\n#endif\n#include <b.h>\n#include <c.h>\n");
  assert.deepEqual(
    firstIncludes.map(({ name }) => name),
    ["a.h", "b.h"],
  );
});

test("files of inline assembly", () => {
  const files = (source: string): unknown => {
    const { assemblerFiles, assemblerUnknown } = extract(source);
    return [assemblerFiles, assemblerUnknown];
  };
  assert.deepEqual(files('asm(".incbin \\"a.bin\\"\\n\\t.include \\"b.s\\"");'), [["a.bin", "b.s"], false]);
  assert.deepEqual(files('asm(".incbin \\"é.bin\\"");'), [["é.bin"], false]);
  assert.deepEqual(files('asm(".section .x\\n.incbin \\"" NAME "\\"");'), [[], true]);
  assert.deepEqual(files('asm(".incbin " #NAME);'), [[], true]);
  assert.deepEqual(files('map[".include"] = INCLUDE; x.include(y); "see .incbin for more";'), [[], true]);
  assert.deepEqual(files('// see .incbin "a"\n/* .include "b" */ int x; // ".incbin \\"c\\""\n'), [
    [],
    false,
  ]);
  assert.deepEqual(files('asm(R"(\n .incbin "a b.bin"\n)");'), [["a b.bin"], false]);
  assert.deepEqual(files('#define INCBIN(x) asm(".incbin \\"x.bin\\"")\n'), [["x.bin"], false]);
  assert.deepEqual(files('map[".include"] = INCLUDE; x.include(y); p->x .include_all;'), [[], false]);
});

test("modules, #pragma once and time macros", () => {
  for (const line of [
    "import foo;",
    "import <a>;",
    "export module a.b;",
    "module;",
    "export import :part;",
    "@import Foo;",
  ]) {
    assert.equal(extract(`int x;\n  ${line}\n`).modules, true, line);
  }
  for (const line of [
    "import_thing();",
    "module = 3;",
    "module->f();",
    "// import a;",
    "important x;",
    "int module;",
  ]) {
    assert.equal(extract(`int x;\n  ${line}\n`).modules, false, line);
  }
  assert.equal(extract("#pragma once\n").pragmaOnce, true);
  assert.equal(extract("// #pragma once\n").pragmaOnce, false);
  assert.equal(extract("const char *t = __TIME__;").time, true);
  assert.equal(extract("int time;").time, false);
});

test("a name that is not UTF-8 is told", () => {
  assert.equal(extractIncludeNames(Buffer.from('#include "\xff.h"\n', "latin1")).invalidNames, true);
  assert.equal(extract('#include "ä.h"\n').invalidNames, false);
});

test("any bytes are read to their end", () => {
  const pieces = fc.constantFrom(
    ..."\\ \n \r \" ' / * # % : ( ) < > R LR include define if __has_include _Pragma .incbin import x 1 é \uFEFF".split(
      " ",
    ),
    " ",
    "\n",
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 60 }), (parts) => void extract(parts.join(""))),
    { numRuns: 2000 },
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void extractIncludeNames(bytes)));
});

test("noise of comments, strings and splices around directives changes nothing", () => {
  const noise = fc.constantFrom(
    "int a = 1'000;",
    'const char *s = "#include \\"no.h\\" /*";',
    "/* ' \" \n#include <no.h>\n*/",
    '// " \' R"(',
    'auto r = R"d(\n#include "no.h"\n")d";',
    "char c = '\\'';",
    "#define F(x) \\\n  x '\"'",
    "",
  );
  const include = fc.constantFrom(
    '#include "N.h"',
    "#include <N.h>",
    "# /**/ include \\\n <N.h> // x",
    '/* */ #include "N.h"',
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(noise, include), { maxLength: 12 }), (lines) => {
      const source = lines
        .map(([text, line], index) => `${text}\n${line.replace("N", `n${index}`)}\n`)
        .join("");
      assert.deepEqual(
        extract(source).names.map(({ name }) => name),
        lines.map((_, index) => `n${index}.h`),
      );
    }),
  );
});

test("splicing joins lines and leaves everything else", () => {
  const parts = fc.array(fc.constantFrom("\\\n", "\\ \n", "\\\r\n", "a", "\n", "\\x", "\\\\", " "), {
    maxLength: 30,
  });
  fc.assert(
    fc.property(parts, (written) => {
      const source = written.join("");
      const expected = source.replaceAll(/\\[ \t\v\f]*(\r\n|\n|\r)/g, "");
      assert.equal(Buffer.from(spliceLines(Buffer.from(source))).toString(), expected);
    }),
  );
});

const headers = [
  "vector",
  "map",
  "regex",
  "thread",
  "algorithm",
  "cmath",
  "stdio.h",
  "sys/socket.h",
  "zlib.h",
  "tgmath.h",
];
for (const compiler of ["g++", "clang++"]) {
  test(`every file that ${compiler} includes is reached by the extracted names`, (t) => {
    if (spawnSync(compiler, ["--version"]).status !== 0) return t.skip(`needs ${compiler}`);
    const folder = mkdtempSync("/tmp/include-names-");
    t.after(() => rmSync(folder, { recursive: true }));
    const source = join(folder, "all.cpp");
    writeFileSync(
      source,
      headers.map((name) => `#if __has_include(<${name}>)\n#include <${name}>\n#endif\n`).join(""),
    );
    const listed = prerequisitesOf(
      execFileSync(compiler, ["-M", source], { encoding: "utf8", maxBuffer: 1 << 26 }),
    );
    const said = spawnSync(compiler, ["-v", "-E", "-x", "c++", "/dev/null"], {
      encoding: "utf8",
      env: { ...process.env, LC_ALL: "C" },
    });
    const folders = [...said.stderr.matchAll(/^ (\/\S*)$/gm)].map((match) => match[1] ?? "");
    const reached = reachable(source, folders);
    const missed = listed.map((path) => realpathSync(path)).filter((path) => !reached.has(path));
    assert.ok(listed.length > 100, `${listed.length} files listed`);
    assert.deepEqual(
      missed.filter((path) => !path.endsWith("/stdc-predef.h")),
      [],
    );
    return undefined;
  });
}

/** Every file that some name leads to, from any folder. */
function reachable(source: string, folders: readonly string[]): Set<string> {
  const reached = new Set([source]);
  for (const path of reached) {
    for (const { form, name } of extractIncludeNames(readFileSync(path)).names) {
      for (const folder of form === "quote" ? [dirname(path), ...folders] : folders) {
        const candidate = join(folder, name);
        if (existsSync(candidate)) reached.add(realpathSync(candidate));
      }
    }
  }
  return reached;
}
