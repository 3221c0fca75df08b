/** What the compiler reads and what it only looks for: the job must see the same files, and the same gaps. */
import { type Case, differentialSuite } from "../../support/differential.ts";

const main = '#include "h.h"\nint value = VALUE;\n';
const define = (value: number): string => `#define VALUE ${value}\n`;

const folders: readonly Case[] = [
  { name: "relative -I", files: { "a.c": main, "inc/h.h": define(1) }, command: "$CC -g -Iinc -c a.c" },
  {
    name: "absolute -I and source",
    files: { "a.c": main, "inc/h.h": define(1) },
    command: "$CC -g -I$ROOT/inc -c $ROOT/a.c",
  },
  {
    name: "-I with .. and doubled slashes",
    files: { "src/a.c": main, "inc/h.h": define(1) },
    command: "$CC -g -I..//inc/./ -c a.c",
    cwd: "src",
  },
  {
    name: "source in another folder finds its neighbour first",
    files: { "src/a.c": main, "src/h.h": define(1), "inc/h.h": define(2) },
    command: "$CC -Iinc -c src/a.c",
  },
  {
    name: "-iquote before -I",
    files: { "s/a.c": main, "q/h.h": define(1), "i/h.h": define(2) },
    command: "$CC -Ii -iquote q -c s/a.c",
  },
  {
    name: "-isystem after -I whatever the order",
    files: { "s/a.c": main, "y/h.h": define(1), "i/h.h": define(2) },
    command: "$CC -isystem y -Ii -c s/a.c",
  },
  {
    name: "-idirafter comes last",
    files: {
      "a.c": "#include <stdio.h>\n#include <own.h>\nint v = OWN;\n",
      "after/stdio.h": "#error\n",
      "after/own.h": "#define OWN 3\n",
    },
    command: "$CC -idirafter after -c a.c",
  },
  {
    name: "a system header replaced by -I",
    files: { "a.c": "#include <limits.h>\nint v = MINE;\n", "inc/limits.h": "#define MINE 1\n" },
    command: "$CC -Iinc -c a.c",
  },
  {
    name: "#include_next through a wrapper",
    files: {
      "a.c": "#include <limits.h>\nint v = INT_MAX;\nint w = WRAPPED;\n",
      "inc/limits.h": "#define WRAPPED 1\n#include_next <limits.h>\n",
    },
    command: "$CC -Iinc -c a.c",
  },
  {
    name: "empty include folders",
    files: { "a.c": main, "h.h": define(1), empty: { directory: true }, also: { directory: true } },
    command: "$CC -Wmissing-include-dirs -Iempty -isystem also -c a.c",
  },
  {
    name: "a missing include folder",
    files: { "a.c": main, "h.h": define(1) },
    command: "$CC -Wmissing-include-dirs -Inowhere -c a.c",
  },
  {
    name: "missing folders that nobody warns of",
    files: { "a.c": main, "h.h": define(1) },
    command: "$CC -Inowhere -isystem $ROOT/none -c a.c -Wall -g",
  },
  {
    name: "a file where an include folder is named",
    files: { "a.c": main, "h.h": define(1), file: "x" },
    command: "$CC -Ifile -c a.c",
  },
  {
    name: "a folder with the name of a header comes first",
    files: {
      "a.c": "#include <h.h>\nint v = VALUE;\n",
      "one/h.h": { directory: true },
      "two/h.h": define(2),
    },
    command: "$CC -Ione -Itwo -c a.c",
  },
  {
    name: "an empty header",
    files: { "a.c": '#include "e.h"\nint x;\n', "e.h": "" },
    command: "$CC -c a.c -MMD",
  },
  {
    name: "--sysroot",
    files: { "a.c": "#include <own.h>\nint v = OWN;\n", "root/usr/include/own.h": "#define OWN 1\n" },
    command: "$CC --sysroot=$ROOT/root -c a.c",
  },
  {
    name: "-isysroot",
    files: { "a.c": "#include <own.h>\nint v = OWN;\n", "root/usr/include/own.h": "#define OWN 1\n" },
    command: "$CC -isysroot $ROOT/root -c a.c",
    expect: { gcc: "remote", clang: "remote-error" },
  },
  {
    name: "-I=folder below a sysroot",
    files: { "a.c": "#include <own.h>\nint v = OWN;\n", "root/opt/own.h": "#define OWN 1\n" },
    command: "$CC --sysroot=$ROOT/root -I=/opt -c a.c",
  },
  {
    name: "the same folder as -I and -isystem",
    files: { "a.c": main, "inc/h.h": define(1) },
    command: "$CC -Iinc -isystem inc -c a.c -MMD",
  },
  {
    name: "-remap and a header.gcc",
    files: { "a.c": '#include "q.h"\nint v = VALUE;\n', "h.h": define(1), "header.gcc": "q.h h.h\n" },
    command: "$CC -remap -c a.c",
    only: "gcc",
    expect: "local:local-option",
  },
  {
    name: "a missing <header> that would be found by quotes",
    files: { "a.c": "#include <h.h>\n", "h.h": define(1) },
    command: "$CC -I. -c a.c",
    followedBy: [
      { command: "$CC -c a.c -MD", expect: "remote-error" },
      { files: { "h.h": null }, command: "$CC -c a.c -MD", expect: "remote-error" },
    ],
  },
  {
    name: "a chain of thirty headers",
    files: {
      "a.c": '#include "h0.h"\nint v = H29;\n',
      ...Object.fromEntries(
        Array.from({ length: 30 }, (_, i) => [
          `h${i}.h`,
          i < 29 ? `#include "h${i + 1}.h"\n` : "#define H29 1\n",
        ]),
      ),
    },
    command: "$CC -c a.c -MMD",
  },
];

const names: readonly Case[] = [
  {
    name: "a computed include",
    files: { "a.c": '#define NAME "h.h"\n#include NAME\nint v = VALUE;\n', "h.h": define(1) },
    command: "$CC -c a.c",
  },
  {
    name: "a computed include from -D",
    files: { "a.c": "#include HEADER\nint v = VALUE;\n", "inc/h.h": define(1) },
    command: "$CC -Iinc -DHEADER='<h.h>' -c a.c",
  },
  {
    name: "a computed include pasted together",
    files: {
      "a.c": "#define STR(x) #x\n#define FILE(n) STR(n.h)\n#include FILE(h)\nint v = VALUE;\n",
      "h.h": define(1),
    },
    command: "$CC -c a.c",
  },
  {
    name: "an include behind a comment and a continued line",
    files: { "a.c": '/* x */ # /* y */ include /* z */ \\\n"h.h"\nint v = VALUE;\n', "h.h": define(1) },
    command: "$CC -c a.c",
  },
  {
    name: "an include behind a digraph",
    files: { "a.c": '%:include "h.h"\nint v = VALUE;\n', "h.h": define(1) },
    command: "$CC -c a.c",
  },
  {
    name: "an include behind a trigraph",
    files: { "a.c": '??=include "h.h"\nint v = VALUE;\n', "h.h": define(1) },
    command: "$CC -trigraphs -c a.c",
  },
  {
    name: "an include that is not taken",
    files: { "a.c": '#if 0\n#include "nowhere.h"\n#endif\nint v;\n' },
    command: "$CC -c a.c",
  },
  {
    name: "an include inside a raw string",
    files: { "a.cpp": 'const char* s = R"(\n#include "nowhere.h"\n)";\n' },
    command: "$CXX -c a.cpp",
  },
  {
    name: "carriage returns and a byte order mark",
    files: { "a.c": '\uFEFF#include "h.h"\r\nint v = VALUE;\r\n', "h.h": `\uFEFF${define(1)}` },
    command: "$CC -c a.c",
  },
  {
    name: "no line end at the end",
    files: { "a.c": '#include "h.h"', "h.h": "int x;" },
    command: "$CC -c a.c",
  },
  {
    name: "#import",
    files: { "a.c": '#import "h.h"\n#import "h.h"\nint v = VALUE;\n', "h.h": define(1) },
    command: "$CC -c a.c -Wno-deprecated -Wno-import-preprocessor-directive-pedantic",
  },
  {
    name: "a source that includes a source",
    files: { "a.c": '#include "b.c"\n', "b.c": "int b(void) { return 1; }\n" },
    command: "$CC -c a.c -g",
  },
  {
    name: "a generated .inc included several times",
    files: {
      "a.c":
        '#define X(n) int n;\n#include "list.inc"\n#undef X\n#define X(n) &n,\nint *all[] = {\n#include "list.inc"\n};\n',
      "list.inc": "X(one)\nX(two)\n",
    },
    command: "$CC -c a.c",
  },
  {
    name: "#pragma GCC dependency",
    files: {
      "a.c": '#pragma GCC dependency "older.y"\nint x;\n',
      "older.y": { content: "x", modified: "2020-01-01T00:00:00Z" },
    },
    command: "$CC -c a.c",
  },
  {
    name: "#pragma GCC dependency on something newer",
    files: {
      "a.c": '#pragma GCC dependency "newer.y" rebuild it\nint x;\n',
      "newer.y": { content: "x", modified: "2024-05-01T00:00:00Z" },
    },
    command: "$CC -c a.c",
  },
  {
    name: "#line with a macro: gcc shows the line of that file",
    files: {
      "a.c": '#define GRAMMAR "g.y"\n#line 2 GRAMMAR\nint f(void) { int x }\n',
      "g.y": "first\nsecond of the grammar\n",
    },
    command: "$CC -c a.c",
    expect: "remote-error",
  },
  {
    name: "-include of a header that is found through -I",
    files: { "a.c": "int v = VALUE;\n", "inc/h.h": define(1) },
    command: "$CC -Iinc -include h.h -c a.c -MMD",
  },
  {
    name: "-include twice and -imacros",
    files: { "a.c": "int v = VALUE + MORE;\n", "h.h": define(1), "m.h": "#define MORE 2\nint dropped;\n" },
    command: "$CC -include h.h -include $ROOT/h.h -imacros m.h -c a.c -w",
  },
];

const probes: readonly Case[] = [
  {
    name: "__has_include of a header that is there",
    files: {
      "a.c": '#if __has_include("h.h")\nint there;\n#else\nint gone;\n#endif\n',
      "h.h": "#error only probed\n",
    },
    command: "$CC -c a.c -MMD",
  },
  {
    name: "__has_include of a header that is not",
    files: { "a.c": '#if __has_include("h.h") || __has_include(<sub/h.h>)\n#error\n#endif\nint gone;\n' },
    command: "$CC -I. -c a.c",
  },
  {
    name: "__has_include in a header, below -I, through a macro",
    files: {
      "a.c": '#include "p.h"\n',
      "inc/p.h":
        "#define NAME <probed.h>\n#if defined __has_include\n#  if __has_include(NAME)\nint there;\n#  endif\n#endif\n",
      "inc/probed.h": "",
    },
    command: "$CC -Iinc -c a.c",
  },
  {
    name: "__has_include_next",
    files: {
      "a.c": "#include <h.h>\n",
      "one/h.h": "#if __has_include_next(<h.h>)\nint more;\n#endif\n",
      "two/h.h": "#error only probed\n",
    },
    command: "$CC -Ione -Itwo -c a.c",
  },
  {
    name: "__has_include of a standard header that is not read",
    files: {
      "a.cpp":
        "#if __has_include(<optional>)\nint there;\n#endif\n#if __has_include(<no/such/thing>)\n#error\n#endif\n",
    },
    command: "$CXX -c a.cpp",
  },
  {
    name: "abseil's way of asking",
    files: {
      "a.cpp":
        '#ifdef __has_include\n#define HAVE(x) __has_include(x)\n#else\n#define HAVE(x) 0\n#endif\n#if HAVE(<unistd.h>)\n#include <unistd.h>\n#endif\n#if HAVE("local.h")\nint local;\n#endif\n',
      "local.h": "",
    },
    command: "$CXX -c a.cpp",
  },
];

/** How a question comes to its operand; the answer is in the object. */
const asked: readonly Case[] = (
  [
    ["a macro that asks", "#define HAVE(x) __has_include(x)\n#if HAVE(<probed.h>)", "remote"],
    [
      "its operand is a macro",
      "#define HAVE(x) __has_include(x)\n#define N <probed.h>\n#if HAVE(N)",
      "remote",
    ],
    [
      "through two macros",
      "#define ALL(x) HAVE(x)\n#define HAVE(x) __has_include(x)\n#if ALL(<probed.h>)",
      "remote",
    ],
    [
      "another name for the question",
      "#define ASK __has_include\n#define N <probed.h>\n#if ASK(N)",
      "remote",
    ],
    ["a parameter inside the name", "#define HAVE(n) __has_include(<n.h>)\n#if HAVE(probed)", "remote"],
    [
      "an operand that is defined twice",
      "#define N <a.h>\n#undef N\n#define N B\n#define B <probed.h>\n#if __has_include(N)",
      "remote",
    ],
    ["a quoted name in another folder's macro", '#include "asks.h"\n#if HAS_PROBED', "remote"],
    ["-DHAVE(x)=__has_include(x)", "#define N <probed.h>\n#if HAVE(N)", "remote"],
    ["-DHAVE=__has_include(<probed.h>)", "#if HAVE", "remote"],
    [
      "-DHAVE=B",
      "#ifndef HAVE\n#define HAVE <a.h>\n#endif\n#define B <probed.h>\n#if __has_include(HAVE)",
      "remote",
    ],
  ] as const
).map(([name, question, expect]) => ({
  name: `a question: ${name}`,
  files: {
    "src/a.c": `${question}\nint there;\n#else\nint gone;\n#endif\n`,
    "src/probed.h": "",
    "inc/probed.h": "",
    "inc/a.h": "",
    "asks/asks.h": '#define HAS_PROBED __has_include("probed.h")\n',
  },
  command: `$CC -Iasks ${name.startsWith("a quoted") ? "" : "-Iinc"} ${name.startsWith("-D") ? `'${name}'` : ""} -c src/a.c`,
  expect,
}));

const twins: readonly Case[] = [
  {
    name: "equal headers in two folders with #pragma once, equal times",
    files: {
      "a.c": '#include "x/h.h"\n#include "y/h.h"\n',
      "x/h.h": "#pragma once\nint counter;\n",
      "y/h.h": "#pragma once\nint counter;\n",
    },
    command: "$CC -c a.c -MMD",
  },
  {
    name: "equal headers in two folders with #pragma once, other times",
    files: {
      "a.c": '#include "x/h.h"\n#include "y/h.h"\n',
      "x/h.h": "#pragma once\nextern int counter;\n",
      "y/h.h": { content: "#pragma once\nextern int counter;\n", modified: "2024-01-01T00:00:00Z" },
    },
    command: "$CC -c a.c -MMD",
  },
  {
    name: "equal headers whose definitions would clash",
    files: {
      "a.cpp": '#include "x/h.h"\n#include "y/h.h"\n',
      "x/h.h": "#pragma once\nstruct S { int a; };\n",
      "y/h.h": { content: "#pragma once\nstruct S { int a; };\n", modified: "2024-01-01T00:00:00Z" },
    },
    command: "$CXX -c a.cpp",
    expect: "remote-error",
  },
  {
    name: "a hard link to a header",
    files: { "a.c": '#include "x.h"\n#include "y.h"\n', "x.h": "#pragma once\nint x;\n" },
    prepare: "ln x.h y.h",
    command: "$CC -c a.c",
  },
  {
    name: "a symbolic link to a header with #pragma once",
    files: {
      "a.c": '#include "x.h"\n#include "y.h"\n',
      "x.h": "#pragma once\nint x;\n",
      "y.h": { symlink: "x.h" },
    },
    command: "$CC -c a.c -MMD",
  },
  {
    name: "equal headers in clang's line tables",
    files: {
      "a.c": '#include "x/h.h"\n#include "y/h.h"\n',
      "x/h.h": "static int f(void) { return __LINE__; }\n#define f g\n",
      "y/h.h": "static int f(void) { return __LINE__; }\n#define f g\n",
    },
    command: "$CC -g -gdwarf-5 -c a.c -Wno-unused-function",
  },
];

const links: readonly Case[] = [
  {
    name: "a header behind a symbolic link",
    files: { "a.c": main, "real/h.h": define(1), "h.h": { symlink: "real/h.h" } },
    command: "$CC -g -c a.c -MMD",
  },
  {
    name: "a header behind a chain of links, the first absolute",
    files: { "a.c": main, "h.h": { symlink: "$ROOT/l/one" }, "l/one": { symlink: "../two" }, two: define(1) },
    command: "$CC -g -c a.c -MMD",
  },
  {
    name: "an include folder behind a link",
    files: { "a.c": main, "real/deep/h.h": define(1), inc: { symlink: "real/deep" } },
    command: "$CC -g -Iinc -c a.c -MMD",
  },
  {
    name: ".. through a linked folder",
    files: {
      "a.c": '#include "link/../h.h"\nint value = VALUE;\n',
      "h.h": define(1),
      "real/deep/x": "",
      "real/h.h": define(2),
      link: { symlink: "real/deep" },
    },
    command: "$CC -g -c a.c -MMD",
  },
  {
    name: "-I with .. through a linked folder",
    files: {
      "a.c": "#include <h.h>\nint value = VALUE;\n",
      "h.h": define(1),
      "real/deep/x": "",
      "real/h.h": define(2),
      link: { symlink: "real/deep" },
    },
    command: "$CC -g -Ilink/.. -c a.c -MMD",
  },
  {
    name: "a source behind a link finds neighbours of the link",
    files: {
      "src/a.c": { symlink: "../other/a.c" },
      "other/a.c": main,
      "src/h.h": define(1),
      "other/h.h": define(2),
    },
    command: "$CC -g -c src/a.c -MMD",
  },
  {
    name: "a dangling link among the headers",
    files: {
      "a.c": "#include <h.h>\nint value = VALUE;\n",
      "one/h.h": { symlink: "nowhere" },
      "two/h.h": define(2),
    },
    command: "$CC -Ione -Itwo -c a.c",
  },
  {
    name: "a link that points to itself",
    files: {
      "a.c": "#include <h.h>\nint value = VALUE;\n",
      "one/h.h": { symlink: "h.h" },
      "two/h.h": define(2),
    },
    command: "$CC -Ione -Itwo -c a.c",
    expect: "remote-error",
  },
];

const contents: readonly Case[] = [
  {
    name: "__FILE__, __BASE_FILE__, __INCLUDE_LEVEL__",
    files: {
      "src/a.c": '#include "../inc/h.h"\nconst char *f = __FILE__;\n',
      "inc/h.h": "const char *h = __FILE__, *b = __BASE_FILE__; int l = __INCLUDE_LEVEL__;\n",
    },
    command: "$CC -c src/a.c",
  },
  {
    name: "assert and its path",
    files: { "a.c": "#include <assert.h>\nvoid f(int x) { assert(x); }\n" },
    command: "$CC -g -O1 -c $ROOT/a.c",
  },
  { name: "__TIMESTAMP__", files: { "a.c": "const char *t = __TIMESTAMP__;\n" }, command: "$CC -c a.c" },
  {
    name: "__DATE__ and __TIME__ with SOURCE_DATE_EPOCH",
    files: { "a.c": "const char *t = __DATE__ __TIME__;\n" },
    command: "$CC -c a.c",
    environment: { SOURCE_DATE_EPOCH: "1700000000" },
    only: "gcc",
  },
  {
    name: ".incbin of a file",
    files: {
      "a.c": '__asm__(".global blob\\nblob: .incbin \\"data.bin\\"\\n");\n',
      "data.bin": { content: Buffer.from([1, 2, 3, 255]) },
    },
    command: "$CC -c a.c",
  },
  {
    name: ".incbin of a file below -I",
    files: {
      "a.c": '__asm__(".global blob\\nblob: .incbin \\"data.bin\\"\\n");\n',
      "inc/data.bin": { content: Buffer.from([1, 2, 3, 255]) },
    },
    command: "$CC -Iinc -c a.c",
    expect: "local:local-construct",
  },
  {
    name: ".incbin of a file whose name is put together",
    files: {
      "a.c": '#define NAME "data" ".bin"\n__asm__(".global blob\\nblob: .incbin \\"" NAME "\\"\\n");\n',
      "data.bin": { content: Buffer.from([1, 2, 3, 255]) },
    },
    command: "$CC -c a.c",
    expect: "local:local-construct",
  },
  {
    name: "an assembler .include",
    files: { "a.c": '__asm__(".include \\"part.s\\"");\n', "part.s": ".globl f\nf: ret\n" },
    command: "$CC -c a.c",
  },
  {
    name: "an assembler .include of a file that includes another one",
    files: {
      "a.c": '__asm__(".include \\"part.s\\"");\n',
      "part.s": '.include "more.s"\n',
      "more.s": ".globl f\nf: ret\n",
    },
    command: "$CC -c a.c",
    expect: "local:local-construct",
  },
  {
    name: "a precompiled header beside the first include",
    files: { "a.c": '#include "pre.h"\nint v = VALUE;\n', "pre.h": define(1) },
    prepare: "gcc -x c-header pre.h -o pre.h.gch",
    command: "$CC -c a.c",
    expect: "local:local-construct",
    ignoreContent: ["pre.h.gch"],
    only: "gcc",
  },
  {
    name: "-include with a precompiled header",
    files: { "a.c": "int v = VALUE;\n", "pre.h": define(1) },
    prepare: "gcc -x c-header pre.h -o pre.h.gch",
    command: "$CC -include pre.h -c a.c",
    expect: "local:local-construct",
    ignoreContent: ["pre.h.gch"],
    only: "gcc",
  },
  {
    name: "preprocessed text that begins with a precompiled header",
    files: { "a.i": '#pragma GCC pch_preprocess "pre.h.gch"\nint v;\n', "pre.h": define(1) },
    prepare: "gcc -x c-header pre.h -o pre.h.gch",
    command: "$CC -fpreprocessed -c a.i",
    expect: "local:local-construct",
    ignoreContent: ["pre.h.gch"],
    only: "gcc",
  },
  {
    name: "-include-pch",
    files: { "a.c": "int v = VALUE;\n", "pre.h": define(1) },
    prepare: "clang -x c-header pre.h -o pre.pch",
    command: "$CC -include-pch pre.pch -c a.c",
    expect: "local",
    ignoreContent: ["pre.pch"],
    only: "clang",
  },
  {
    name: "clang's -include finds a .pch",
    files: { "a.c": "int v = VALUE;\n", "pre.h": define(1) },
    prepare: "clang -x c-header pre.h -o pre.h.pch",
    command: "$CC -include pre.h -c a.c",
    expect: "local:local-construct",
    ignoreContent: ["pre.h.pch"],
    only: "clang",
  },
  {
    name: "an ignore list for the sanitizer",
    files: { "a.c": "int f(int *p) { return *p; }\n", "list.txt": "fun:f\n" },
    command: "$CC -fsanitize=address -fsanitize-ignorelist=list.txt -c a.c",
    only: "clang",
  },
  {
    name: "an assembler file handed to the assembler",
    files: { "a.c": "int x;\n", "more.s": ".globl more\nmore: ret\n" },
    command: "$CC -c a.c -Wa,more.s",
    only: "gcc",
  },
  {
    name: "a large source",
    files: {
      "a.c": Array.from({ length: 8000 }, (_, i) => `int f${i}(int x) { return x + ${i}; }\n`).join(""),
    },
    command: "$CC -c a.c",
  },
  {
    name: "the standard library",
    files: {
      "a.cpp":
        "#include <algorithm>\n#include <map>\n#include <string>\n#include <vector>\nint f(std::vector<std::string> v) { std::map<std::string, int> m; for (auto& s : v) ++m[s]; return m.size(); }\n",
    },
    command: "$CXX -O2 -g -c a.cpp -MD",
  },
];

differentialSuite([...folders, ...names, ...probes, ...asked, ...twins, ...links, ...contents]);
