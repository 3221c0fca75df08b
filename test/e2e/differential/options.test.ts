/** One case or more for each class of the option table: sent, with another output, at home. */
import { type Case, differentialSuite, type Family } from "../../support/differential.ts";
import type { Files } from "../../support/files.ts";

const files: Files = {
  "a.c": `#include "part.h"
int table[LENGTH];
static int twice(int x) { return x * FACTOR; }
int sum(const int *p, int n) { int s = 0; for (int i = 0; i < n; ++i) s += twice(p[i]); return s; }
`,
  "a.cpp": `#include "part.h"
namespace { struct Guard { ~Guard() noexcept(false); int x[LENGTH]; }; }
template <typename T> T twice(T x) { return x * FACTOR; }
int sum(const int* p, int n) { int s = 0; for (int i = 0; i < n; ++i) s += twice(p[i]); return s; }
`,
  "include/part.h": "#ifndef LENGTH\n#define LENGTH 8\n#endif\n#ifndef FACTOR\n#define FACTOR 2\n#endif\n",
};

const c = "$CC -Iinclude -c a.c -o a.o";
const cxx = "$CXX -Iinclude -c a.cpp -o a.o";

/** Sent unchanged, for both compilers unless a family is named. */
const sent: readonly (string | readonly [options: string, only: Family])[] = [
  "-O2 -g",
  "-O3 -funroll-loops -fno-strict-aliasing",
  "-Os -ffunction-sections -fdata-sections",
  "-g3",
  "-ggdb -gdwarf-4",
  "-g -gz",
  "-gdwarf-5 -g1",
  "-Wall -Wextra -Wpedantic",
  "-pipe",
  "-fPIC -fvisibility=hidden",
  "-fPIE -fstack-protector-strong -D_FORTIFY_SOURCE=2 -O1",
  "-fcf-protection=full -fstack-clash-protection",
  "-march=x86-64-v2 -mtune=generic",
  "-mavx2 -mno-red-zone",
  "-m32",
  "-DLENGTH=16 -D FACTOR=3 -UUNUSED -U UNUSED",
  "-nostdinc",
  "-undef -DLENGTH=4",
  "-fshort-enums -funsigned-char",
  "-fno-asynchronous-unwind-tables",
  "-g -fdebug-prefix-map=$ROOT=/src",
  "-g -ffile-prefix-map=$ROOT=. -fmacro-prefix-map=$ROOT=",
  ["-g -fno-working-directory", "gcc"],
  ["-g -fworking-directory", "gcc"],
  ["-g -fdebug-compilation-dir=/elsewhere", "clang"],
  ["-frecord-gcc-switches", "gcc"],
  ["-g -grecord-gcc-switches", "gcc"],
  ["-g -gno-record-gcc-switches", "gcc"],
  ["-frecord-command-line -g", "clang"],
  ["-grecord-command-line -g", "clang"],
  "-frandom-seed=1234",
  "-flto -frandom-seed=a.o",
  ["-flto=auto -ffat-lto-objects -frandom-seed=a.o", "gcc"],
  ["-flto=thin", "clang"],
  ["-emit-llvm", "clang"],
  "-Wa,--noexecstack",
  ["-Wa,-I,include,--defsym,answer=42", "gcc"],
  ["-Wa,-adhln", "gcc"],
  ["-Xassembler --noexecstack", "gcc"],
  ["-Xclang -fno-pch-timestamp", "clang"],
  ["-mllvm -inline-threshold=100", "clang"],
  "-Wp,-DFACTOR=5",
  "-Wp,-DFACTOR=5,-ULENGTH",
  "-Xpreprocessor -DFACTOR=7",
  "-Wl,-O1 -Llib -lm -Wl,--as-needed",
  "-fsanitize=address -g",
  "-fsanitize=undefined -fno-sanitize-recover=all",
  "-fsanitize=thread",
  "-fopenmp",
  "-pthread",
  "-fno-common -fno-builtin -ffreestanding",
  "-fmax-errors=3 -fdiagnostics-show-option",
  "-finput-charset=UTF-8 -fexec-charset=UTF-8",
  ["-fexec-charset=IBM037", "gcc"],
  ["-finput-charset=ISO-8859-1", "gcc"],
  "-include include/part.h",
  "-imacros include/part.h",
  "-include part.h",
  "-march=native",
  "-O2 -mtune=native -g",
  ["-march=native -mtune=native -O3 -g", "gcc"],
  ["-march=native -frecord-command-line -grecord-command-line -g", "clang"],
  ["-march=native -pipe -frecord-gcc-switches -g", "gcc"],
  "-fprofile-generate -frandom-seed=a",
  ["-fprofile-arcs -frandom-seed=a", "gcc"],
  ["-fprofile-instr-generate", "clang"],
  ["-fprofile-instr-generate -fcoverage-mapping", "clang"],
  ["--target=aarch64-linux-gnu -nostdinc", "clang"],
  ["-target armv7-linux-gnueabihf -nostdinc", "clang"],
  ["-fcolor-diagnostics", "clang"],
  ["-fdiagnostics-color=always", "gcc"],
  ["-fno-integrated-as", "clang"],
  ["-Qunused-arguments -Wno-unknown-warning-option -Wmade-up", "clang"],
  ["-Wno-made-up-warning", "gcc"],
  ["-fident", "gcc"],
  ["-fabi-version=11 -fconserve-stack", "gcc"],
  ["--param=max-inline-insns-single=100", "gcc"],
  ["--param max-unroll-times=4", "gcc"],
];

const sentCases: Case[] = sent.flatMap((entry) => {
  const [options, only] = typeof entry === "string" ? [entry] : entry;
  return [c, cxx].map((command): Case => {
    return {
      name: `${command === c ? "C" : "C++"} with ${options}`,
      files,
      command: `${command} ${options}`,
      ...(only === undefined ? {} : { only }),
    };
  });
});

const spellings: readonly Case[] = [
  { name: "-ansi", files: { "a.c": "int f(void) { return 1; }\n" }, command: "$CC -ansi -pedantic -c a.c" },
  { name: "-std=c17", files, command: "$CC -std=c17 -Iinclude -c a.c" },
  { name: "-std=c++20", files, command: "$CXX -std=c++20 -Iinclude -c a.cpp" },
  { name: "an option of the other language", files, command: "$CXX -Wmissing-prototypes -Iinclude -c a.cpp" },
  { name: "options before the source", files, command: "$CXX -O1 -o a.o -Iinclude -c a.cpp" },
  { name: "the source first", files, command: "$CXX a.cpp -Iinclude -c -oa.o" },
  { name: "no -o", files, command: "$CXX -Iinclude -c a.cpp" },
  { name: "assembler text", files, command: "$CXX -Iinclude -S a.cpp" },
  {
    name: "assembler text under another name",
    files,
    command: "$CXX -Iinclude -S a.cpp -o out.asm -fverbose-asm",
  },
  { name: "-S beats -c", files, command: "$CC -Iinclude -c -S a.c" },
  { name: "two -o", files, command: "$CC -Iinclude -c a.c -o first.o -o second.o", expect: "local" },
  { name: "-fsyntax-only", files, command: "$CXX -Iinclude -fsyntax-only -Wall a.cpp" },
  { name: "-o /dev/null", files, command: "$CXX -Iinclude -c a.cpp -o /dev/null" },
  { name: "-x c++ for a .c file", files, command: "$CC -Iinclude -x c++ -c a.cpp" },
  {
    name: "-xc for a file of no known kind",
    files: { ...files, "a.inc": "int x;\n" },
    command: "$CC -xc -c a.inc",
  },
  { name: "-x none after -x", files, command: "$CC -Iinclude -x c -x none -c a.cpp" },
  { name: "-x after the source does not count", files, command: "$CC -Iinclude -c a.c -x c++" },
  { name: "C source through the C++ driver", files, command: "$CXX -Iinclude -c a.c" },
  { name: "--include-directory=", files, command: "$CC --include-directory=include -c a.c" },
  { name: "--include-directory separate", files, command: "$CC --include-directory include -c a.c" },
  {
    name: "--define-macro and --std",
    files,
    command: "$CC --define-macro=FACTOR=9 --std=c11 -Iinclude --compile a.c",
  },
  { name: "-- before the source", files, command: "$CC -Iinclude -c -- a.c", only: "clang" },
  { name: "-isystem joined", files, command: "$CC -isysteminclude -c a.c" },
  { name: "-idirafter and -iquote", files, command: "$CC -idirafter include -iquote . -c a.c" },
  {
    name: "-iprefix with -iwithprefix",
    files,
    command: "$CC -iprefix $ROOT/ -iwithprefixbefore include -iwithprefix nowhere -c a.c",
  },
  { name: "preprocessed C", files: { "a.i": '# 1 "a.c"\nint x = 1;\n' }, command: "$CC -g -c a.i" },
  { name: "preprocessed C++", files: { "a.ii": '# 1 "a.cpp"\nint x = 1;\n' }, command: "$CXX -g -c a.ii" },
  {
    name: "-fpreprocessed",
    files: { "a.c": "int x = 1;\n" },
    command: "$CC -fpreprocessed -c a.c",
    only: "gcc",
  },
  {
    name: "Objective-C",
    files: { "a.m": "@interface A { int x; } @end\nint f(void) { return 1; }\n" },
    command: "$CC -c a.m",
    only: "clang",
  },
  ...["cc", "cp", "cxx", "CPP", "c++", "C"].map((suffix): Case => ({
    name: `a source named .${suffix}`,
    files: { ...files, [`b.${suffix}`]: '#include "part.h"\nclass X {} x[FACTOR];\n' },
    command: `$CC -Iinclude -c b.${suffix}`,
  })),
];

/** The driver's own words, where its expansion is run in its place. */
const replayed: readonly Case[] = [
  {
    name: "-march=native with something for the linker",
    files,
    command: "$CC -march=native -Iinclude -c a.c -lm -Wl,-O1",
    expect: { gcc: "remote", clang: "local:local-option" },
  },
  {
    name: "-mcpu=native, of which both drivers warn",
    files,
    command: "$CC -mcpu=native -Iinclude -c a.c",
    expect: "local:local-option",
  },
  {
    name: "-march=native with an option that only warns",
    files,
    command: "$CC -march=native -ffat-lto-objects -flto -frandom-seed=a -Iinclude -c a.c",
    expect: { gcc: "remote", clang: "local:local-option" },
  },
  {
    name: "-march=native -pipe with an error in the assembler",
    files: { "a.c": '__asm__("nonsense %eax");\n' },
    command: "$CC -march=native -pipe -c a.c",
    expect: "remote-error",
  },
  {
    name: "-march=native -pipe with a warning of the assembler",
    files: { "a.c": '__asm__(".warning \\"mind\\"");\n' },
    command: "$CC -march=native -pipe -c a.c",
  },
  {
    name: "-march=native -pipe with a listing",
    files,
    command: "$CC -march=native -pipe -Iinclude -c a.c -Wa,-ahl=a.lst",
    only: "gcc",
    expect: "local:local-option",
  },
];

const responseFiles: readonly Case[] = [
  {
    name: "@file",
    files: { ...files, "flags.rsp": "-Iinclude -O2\n-DFACTOR=3 -g" },
    command: "$CC @flags.rsp -c a.c -o a.o",
  },
  {
    name: "@file in @file, with quotes and escapes",
    files: {
      ...files,
      "outer.rsp": "@inner.rsp '-DTEXT=\"two words\"' -DBACK=\\\\\\\\",
      "inner.rsp": '"-Iinclude"\n\n  -c\ta.c\n',
    },
    command: "$CC @outer.rsp -o a.o -g",
  },
  {
    name: "@file below another folder: names inside are relative to the working folder",
    files: { ...files, "deep/flags.rsp": "@deep/more.rsp", "deep/more.rsp": "-Iinclude" },
    command: "$CC @deep/flags.rsp -c a.c",
  },
  {
    name: "@file with everything in it",
    files: { ...files, all: "-Iinclude -c a.c -o a.o -MMD" },
    command: "$CC @all",
  },
  {
    name: "an @file that is not UTF-8",
    files: { ...files, "flags.rsp": { content: Buffer.from("-DTEXT=\xe4 -g3", "latin1") } },
    command: "$CC -Iinclude -c a.c @flags.rsp",
    expect: "local",
  },
  {
    name: "an @file that does not exist",
    files,
    command: "$CC -Iinclude -c a.c @missing.rsp",
    expect: "local",
  },
];

/** Scripts in a compiler's place: what they add is run remotely, except what would be lost or differ. */
const wrappers: readonly Case[] = (
  [
    ["gcc -DFACTOR=5 -O1", "-c a.c -MD", "remote"],
    ["clang -DFACTOR=5 -Wall", "-c a.c -MD -g -gsplit-dwarf", "remote"],
    ["gcc -MD", "-c a.c", "local:local-option"],
    ["clang -MD", "-c a.c", "local:local-option"],
    ["gcc -g -gsplit-dwarf", "-c a.c -MD", "local:local-option"],
    ["clang -fstack-usage", "-c a.c -MD", "local:local-option"],
    ["gcc -pipe", "-c a.c", "local:local-option"],
  ] as const
).map(([program, words, expect]) => ({
  name: `a wrapper of ${program}, ${words}`,
  files: { ...files, "w r/cc": { content: `#!/bin/sh\nexec ${program} "$@"\n`, mode: 0o755 } },
  command: `\${CC%${program.split(" ")[0]}}"$ROOT/w r/cc" -Iinclude ${words}`,
  only: program.startsWith("gcc") ? "gcc" : "clang",
  expect,
}));

/** Belongs at home; homcc runs the compiler itself and nothing of ours is printed. */
const atHome: readonly (readonly [command: string, only?: Family])[] = [
  ["$CC -Iinclude -E a.c"],
  ["$CC -Iinclude -E a.c -o a.i"],
  ["$CC -Iinclude -M a.c"],
  ["$CC -Iinclude -MM a.c -o a.d"],
  ["$CC --version"],
  ["$CC -dumpmachine"],
  ["$CC -print-search-dirs"],
  ["$CC -v"],
  ["$CC -Iinclude -c a.c -o -", "clang"],
  ["$CC -Iinclude -S a.c -o -"],
  ["$CC -Iinclude -x c -c - -o a.o"],
  ["$CC -Iinclude -c a.c -B include"],
  ["$CC -Iinclude -c a.c -save-temps"],
  ["$CC -Iinclude -c a.c -save-temps=obj -o out.o"],
  ["$CC -Iinclude -c a.c -dM -E"],
  ["$CC -Iinclude -c a.c -fdump-tree-original", "gcc"],
  ["$CC -Iinclude -c a.c -fcompare-debug", "gcc"],
  ["$CC -Iinclude -c a.c -specs=$ROOT/own.specs", "gcc"],
  ["$CC -Iinclude -c a.c -wrapper env,A=1", "gcc"],
  ["$CC -Iinclude -c a.c -gtoggle", "gcc"],
  ["$CC -Iinclude -c a.c -fprofile-use", "gcc"],
  ["$CC -Iinclude -c a.c -dumpbase other", "gcc"],
  ["$CC -Iinclude -c a.c -Qn", "gcc"],
  ["$CC -Iinclude -c a.c --analyze", "clang"],
  ["$CC -c asm.s -o asm.o"],
  ["$CC -c asm.S -o asm.o"],
  ["$CC -Iinclude -x c-header include/part.h -o part.h.gch"],
  ["$CC"],
  ["$CC -c"],
  ["$CC -Iinclude -c a.c -nonsense-option-of-nobody"],
  ["$CC -Iinclude -c missing.c"],
];

const atHomeCases: Case[] = atHome.map(([command, only]) => ({
  name: `at home: ${command}`,
  files: {
    ...files,
    "asm.s": ".globl f\nf: ret\n",
    "asm.S": "#define NAME f\n.globl NAME\nNAME: ret\n",
    "own.specs": "*own:\n\n",
  },
  command: `${command} </dev/null`,
  expect: "local",
  // gcc's precompiled headers hold addresses.
  ignoreContent: ["part.h.gch"],
  // gcc's own names of temporary files, in the output of -v and in messages.
  mask: /\/tmp\/[\w-]+\.(o|s|d)\b/g,
  ...(only === undefined ? {} : { only }),
}));

differentialSuite([...sentCases, ...spellings, ...replayed, ...wrappers, ...responseFiles, ...atHomeCases]);
