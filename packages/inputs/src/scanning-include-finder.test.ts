import assert from "node:assert/strict";
import { linkSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import type { Compilation, CompilerFamily } from "@homcc/compiler/compilation";
import { compilers, Project } from "./discovery.fixture.ts";
import { notFound, type ScanComparison } from "./include-finder.ts";
import { compareWithCompiler, createScanner, scan } from "./scanning.fixture.ts";

interface Case {
  readonly files: Readonly<Record<string, string>>;
  /** By name, their targets. */
  readonly links?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  readonly more?: Partial<Compilation>;
  /** What is read, besides what the machine has. */
  readonly reads: readonly string[];
  /** What is only asked for. gcc lists none of it, clang all. */
  readonly asked?: readonly string[];
  /** Names that must be noted as absent. */
  readonly absent?: readonly string[];
  readonly only?: CompilerFamily;
}

/** One or more for each row of what makes include scanning hard. The source is `a.cpp` unless there is an `a.c`. */
const cases: Readonly<Record<string, Case>> = {
  "conditional includes": {
    files: {
      "a.cpp":
        '#define A 3\n#if A > 4\n#include "no.h"\n#elif defined(A) && A == 3 && !defined B\n#include "yes.h"\n#else\n#include "no.h"\n#endif\n#ifdef B\n#elifdef A\n#include "b.h"\n#endif\n#ifndef A\n#elifndef B\n#include "c.h"\n#endif\n',
      "yes.h": "",
      "b.h": "",
      "c.h": "",
      "no.h": "",
    },
    reads: ["a.cpp", "b.h", "c.h", "yes.h"],
    only: "gcc",
  },
  "a computed include": {
    files: {
      "a.cpp":
        '#define CAT_(a, b) a##b\n#define CAT(a, b) CAT_(a, b)\n#define STR_(x) #x\n#define STR(x) STR_(x)\n#define N 2\n#define ANGLE <dir/x.h>\n#include STR(CAT(v, N).h)\n#include ANGLE\n#define QUOTE "q.h"\n#include QUOTE\n',
      "v2.h": "",
      "inc/dir/x.h": "",
      "q.h": "",
    },
    args: ["-Iinc"],
    reads: ["a.cpp", "inc/dir/x.h", "q.h", "v2.h"],
  },
  "a computed include in a header, of a name that the includer defines": {
    files: {
      "a.cpp":
        '#define IMPL "one.h"\n#include "x/each.h"\n#undef IMPL\n#define IMPL "two.h"\n#include "x/each.h"\n',
      "x/each.h": "#include IMPL\n",
      "x/one.h": "",
      "x/two.h": "",
      "one.h": "",
    },
    reads: ["a.cpp", "x/each.h", "x/one.h", "x/two.h"],
  },
  "#include_next": {
    files: {
      "a.cpp": "#include <x.h>\n",
      "one/x.h": "#include_next <x.h>\n",
      "two/x.h": '#include_next "x.h"\n',
      "three/x.h": "",
      "four/x.h": "",
    },
    args: ["-Ione", "-Itwo", "-Ithree", "-Ifour"],
    reads: ["a.cpp", "one/x.h", "three/x.h", "two/x.h"],
  },
  "#include_next in a header beside its includer": {
    files: {
      "a.cpp": "#include <x.h>\n",
      "one/x.h": '#include "y.h"\n',
      "one/y.h": '#include_next "y.h"\n',
      "zero/y.h": "",
      "two/y.h": "",
    },
    args: ["-Izero", "-Ione", "-Itwo"],
    reads: ["a.cpp", "one/x.h", "one/y.h", "zero/y.h"],
    only: "gcc",
  },
  "#include_next in a header beside its includer goes on behind the includer's folder with clang": {
    files: {
      "a.cpp": "#include <x.h>\n",
      "one/x.h": '#include "y.h"\n',
      "one/y.h": '#include_next "y.h"\n',
      "zero/y.h": "",
      "two/y.h": "",
    },
    args: ["-Izero", "-Ione", "-Itwo"],
    reads: ["a.cpp", "one/x.h", "one/y.h", "two/y.h"],
    only: "clang",
  },
  "#include_next in the source itself": {
    files: { "src/a.cpp": '#include_next "x.h"\n', "src/x.h": "", "one/x.h": "" },
    args: ["-Ione"],
    more: { source: "src/a.cpp" },
    reads: ["src/a.cpp", "src/x.h"],
  },
  "__has_include and its family": {
    files: {
      "a.cpp":
        '#if __has_include("asked.h") && !__has_include(<no.h>)\n#include "yes.h"\n#endif\n#define HAVE(x) __has_include(x)\n#if HAVE("later.h") || HAVE(<inc.h>)\n#include "both.h"\n#endif\n#include <n.h>\n',
      "asked.h": "#include <not_read.h>\n",
      "yes.h": "",
      "both.h": "",
      "inc/inc.h": "",
      "inc/n.h": "#if !__has_include_next(<n.h>)\n#include <last.h>\n#endif\n",
      "inc/last.h": "",
    },
    args: ["-Iinc"],
    reads: ["a.cpp", "both.h", "inc/last.h", "inc/n.h", "yes.h"],
    asked: ["asked.h", "inc/inc.h"],
    absent: ["inc/later.h", "inc/no.h", "later.h"],
  },
  "#pragma GCC dependency": {
    files: { "a.cpp": '#pragma GCC dependency "x.y" rebuild\n#include "y.h"\n', "x.y": "", "y.h": "" },
    reads: ["a.cpp", "y.h"],
    asked: ["x.y"],
    only: "gcc",
  },
  "__has_include where its value does not count": {
    files: {
      "a.cpp":
        '#if 0 && __has_include("and.h") || 1 || __has_include("or.h") || __has_include("no.h")\n#elif __has_include("elif.h")\n#endif\n#if 1 ? 1 : __has_include(<other.h>)\n#endif\n',
      "and.h": "",
      "or.h": "",
      "elif.h": "",
      "inc/other.h": "",
    },
    args: ["-Iinc"],
    reads: ["a.cpp"],
    asked: ["and.h", "inc/other.h", "or.h"],
    absent: ["no.h"],
    only: "clang",
  },
  "a computed operand of __has_include": {
    files: {
      "a.cpp": '#define D dir\n#define H <D/x.h>\n#if __has_include(H)\n#include "yes.h"\n#endif\n',
      "inc/dir/x.h": "",
      "yes.h": "",
    },
    args: ["-Iinc"],
    reads: ["a.cpp", "yes.h"],
    asked: ["inc/dir/x.h"],
  },
  "a header that would shadow another one is absent": {
    files: { "a.cpp": '#include "x.h"\n#include <sub/y.h>\n', "two/x.h": "", "three/sub/y.h": "" },
    args: ["-Ione", "-Itwo", "-Ithree"],
    reads: ["a.cpp", "three/sub/y.h", "two/x.h"],
    absent: ["one", "two/sub", "x.h"],
  },
  "-imacros before -include, macros of both": {
    files: {
      "a.cpp": "#ifdef FROM_INCLUDE\n#include <yes.h>\n#endif\n",
      "i.h": '#if defined(M) && D == 2\n#define FROM_INCLUDE\n#endif\nint text;\n#include "nested.h"\n',
      "inc/m.h": "#define M\nint text;\n",
      "nested.h": "",
      "inc/yes.h": "",
    },
    args: ["-include", "i.h", "-imacros", "m.h", "-DD=1", "-UD", "-D", "D=2", "-Iinc"],
    more: { forcedIncludes: ["i.h", "m.h"] },
    reads: ["a.cpp", "i.h", "inc/m.h", "inc/yes.h", "nested.h"],
  },
  "functions and strange definitions on the command line": {
    files: {
      "a.cpp":
        '#if F(2, 3) == 6 && ONE == 1 && EMPTY(4) && !defined GONE\n#include NAME\n#endif\n#ifdef __linux__\n#include "no.h"\n#endif\n',
      "n.h": "",
      "no.h": "",
    },
    args: ["-DF(a,b)=((a)*(b))", "-DONE", "-DEMPTY(x)=x", '-DNAME="n.h"', "-DGONE", "-UGONE", "-U__linux__"],
    reads: ["a.cpp", "n.h"],
  },
  "#import, by file": {
    files: {
      "a.cpp": '#import "x.h"\n#import "x.h"\n#include "x.h"\n#include "y.h"\n#import "y.h"\n',
      "x.h": '#ifdef X\n#include "twice.h"\n#endif\n#define X\n',
      "y.h": '#ifdef Y\n#include "twice.h"\n#endif\n#define Y\n',
      "twice.h": "",
    },
    reads: ["a.cpp", "x.h", "y.h"],
  },
  "#pragma once": {
    files: {
      "a.cpp": '#include "x.h"\n#include "./x.h"\n#include "sub/../x.h"\n#include "link.h"\n',
      "x.h": '#pragma once\n#ifdef X\n#include "twice.h"\n#endif\n#define X\n',
      "sub/z.h": "",
      "twice.h": "",
    },
    links: { "link.h": "x.h" },
    reads: ["a.cpp", "x.h"],
  },
  "an include guard": {
    files: {
      "a.cpp": '#include "x.h"\n#include "x.h"\n#undef X_H\n#include "x.h"\n',
      "x.h":
        '/* c */\n#if !defined(X_H)\n#define X_H\n#ifdef N\n#include "third.h"\n#elif defined(M)\n#define N\n#endif\n#define M\n#endif\n',
      "third.h": "",
    },
    reads: ["a.cpp", "x.h"],
  },
  "push_macro and pop_macro": {
    files: {
      "a.cpp":
        '#define A 1\n#pragma push_macro("A")\n#undef A\n#define A 2\n#pragma push_macro("A")\n#undef A\n#if defined A\n#include "no.h"\n#endif\n#pragma pop_macro("A")\n#if A == 2\n#include "two.h"\n#endif\n#pragma pop_macro("A")\n#if A == 1\n#include "one.h"\n#endif\n#pragma pop_macro("A")\n#if A == 1\n#include "still.h"\n#endif\n',
      "one.h": "",
      "two.h": "",
      "still.h": "",
      "no.h": "",
    },
    reads: ["a.cpp", "one.h", "still.h", "two.h"],
  },
  "__COUNTER__ in conditions only": {
    files: {
      "a.cpp": '#if __COUNTER__ == 0 && __COUNTER__ == 1\n#include "x.h"\n#endif\n',
      "x.h": '#if __COUNTER__ == 2\n#include "y.h"\n#endif\n',
      "y.h": "",
    },
    reads: ["a.cpp", "x.h", "y.h"],
  },
  "what the compiler has": {
    files: {
      "a.cpp":
        '#ifdef __has_attribute\n#if __has_attribute(noreturn) && !__has_attribute(homcc_none)\n#include "attribute.h"\n#endif\n#endif\n#ifdef __has_cpp_attribute\n#if __has_cpp_attribute(nodiscard) >= 201603L && __has_cpp_attribute(gnu::unused)\n#include "nodiscard.h"\n#endif\n#endif\n#ifdef __has_feature\n#define FEATURE(x) __has_feature(x)\n#else\n#define FEATURE(x) 0\n#endif\n#if FEATURE(cxx_rtti)\n#include "feature.h"\n#endif\n#if __has_builtin(__builtin_expect)\n#include "builtin.h"\n#endif\n',
      "attribute.h": "",
      "nodiscard.h": "",
      "feature.h": "",
      "builtin.h": "",
    },
    args: ["-std=c++17"],
    reads: ["a.cpp", "attribute.h", "builtin.h", "feature.h", "nodiscard.h"],
    only: "clang",
  },
  "what gcc has": {
    files: {
      "a.cpp":
        '#if __has_attribute(noreturn) && !__has_attribute(homcc_none)\n#include "attribute.h"\n#endif\n#if __has_cpp_attribute(nodiscard) >= 201603L && __has_cpp_attribute(gnu::unused)\n#include "nodiscard.h"\n#endif\n',
      "attribute.h": "",
      "nodiscard.h": "",
    },
    args: ["-std=c++17"],
    reads: ["a.cpp", "attribute.h", "nodiscard.h"],
    only: "gcc",
  },
  "predefined macros follow the options": {
    files: {
      "a.cpp":
        '#ifdef __OPTIMIZE__\n#include "o.h"\n#endif\n#if __cplusplus == 201402L\n#include "14.h"\n#endif\n#ifdef _REENTRANT\n#include "threads.h"\n#endif\n#ifdef __PIC__\n#include "pic.h"\n#endif\n#ifndef __EXCEPTIONS\n#include "no-exceptions.h"\n#endif\n',
      "o.h": "",
      "14.h": "",
      "threads.h": "",
      "pic.h": "",
      "no-exceptions.h": "",
    },
    args: ["-O2", "-std=c++14", "-pthread", "-fPIC", "-fno-exceptions"],
    reads: ["14.h", "a.cpp", "no-exceptions.h", "o.h", "pic.h", "threads.h"],
  },
  "built-in folders are left out or replaced": {
    files: { "a.cpp": "#include <vector>\n", "inc/vector": "#include <sys/x.h>\n", "inc/sys/x.h": "" },
    args: ["-nostdinc", "-isystem", "inc"],
    reads: ["a.cpp", "inc/sys/x.h", "inc/vector"],
  },
  "an absolute include": {
    files: { "a.cpp": "", "dir/x.h": '#include "y.h"\n', "dir/y.h": "" },
    reads: ["a.cpp", "dir/x.h", "dir/y.h"],
  },
  "links are not replaced by their targets": {
    files: {
      "a.cpp": '#include "sub/x.h"\n#include "up/y.h"\n',
      "real/x.h": '#include "beside.h"\n',
      "real/beside.h": "",
      "sub/beside.h": "",
      "deep/er/y.h": '#include "../z.h"\n',
      "deep/z.h": "",
    },
    links: { "sub/x.h": "../real/x.h", up: "deep/er" },
    reads: ["a.cpp", "deep/er/y.h", "deep/z.h", "real/x.h", "sub/beside.h"],
  },
  "..": {
    files: { "src/a.cpp": '#include "../inc/./x.h"\n', "inc/x.h": '#include "../inc/y.h"\n', "inc/y.h": "" },
    more: { source: "src/a.cpp" },
    reads: ["inc/x.h", "inc/y.h", "src/a.cpp"],
  },
  "empty, missing and double folders": {
    files: { "a.cpp": '#include <x.h>\n#include "q.h"\n', "one/x.h": "", "two/x.h": "", "iq/q.h": "" },
    args: ["-Imissing", "-Iempty", "-Ione", "-Itwo", "-isystem", "one", "-iquote", "iq"],
    // A folder that is also a system folder is looked at as that one: after the others.
    reads: ["a.cpp", "iq/q.h", "two/x.h"],
  },
  "-iquote, -I, -isystem, -idirafter": {
    files: {
      "src/a.cpp": '#include "a.h"\n#include <a.h>\n#include "b.h"\n#include <c.h>\n#include <d.h>\n',
      "iq/a.h": "",
      "i/a.h": "",
      "i/b.h": "",
      "sys/b.h": "",
      "sys/c.h": "",
      "after/c.h": "",
      "after/d.h": "",
    },
    args: ["-idirafter", "after", "-isystem", "sys", "-Ii", "-iquoteiq"],
    more: { source: "src/a.cpp" },
    reads: ["after/d.h", "i/a.h", "i/b.h", "iq/a.h", "src/a.cpp", "sys/c.h"],
  },
  "only the includer's folder is searched, not those of its includers": {
    files: {
      "a.cpp": '#include "one/x.h"\n',
      "one/x.h": '#include "two/y.h"\n',
      "one/two/y.h": '#include "z.h"\n',
      "one/z.h": "",
      "inc/z.h": "",
    },
    args: ["-Iinc"],
    reads: ["a.cpp", "inc/z.h", "one/two/y.h", "one/x.h"],
  },
  "lines that are continued": {
    files: {
      "a.cpp":
        '\\\n#\\\ninc\\\nlude "x.\\\nh"\n#define A \\   \n1\n#if A \\\r\n == 1\n# include "y.h"\n#endif\n// comment \\\n#include "no.h"\n',
      "x.h": "",
      "y.h": "",
      "no.h": "",
    },
    reads: ["a.cpp", "x.h", "y.h"],
  },
  digraphs: {
    files: { "a.cpp": '%:include "x.h"\n%: if 1\n#include "y.h"\n%:endif\n', "x.h": "", "y.h": "" },
    reads: ["a.cpp", "x.h", "y.h"],
  },
  "trigraphs where they are on": {
    files: {
      "a.cpp": '??=include "x.h"\n??=define A ??/\n 1\n#if A\n#include "y.h"\n#endif\n',
      "x.h": "",
      "y.h": "",
    },
    args: ["-std=c++11"],
    reads: ["a.cpp", "x.h", "y.h"],
  },
  "trigraphs where they are off": {
    files: { "a.cpp": '// ??/\n#include "x.h"\n', "x.h": "" },
    args: ["-std=gnu++11"],
    reads: ["a.cpp", "x.h"],
  },
  comments: {
    files: {
      "a.cpp":
        '/* x */ # /* y */ include /* z */ "x.h" // z\n/*\n#include "no.h"\n*/ #include "y.h"\n#if 1 /* no\n */ && /* yes */ 1 // *\n#include "z.h"\n#endif\nchar c = \'"\'; /* " */ #include "not.h"\n#define E /* a */ "e.h" /* b */\n#include E\n',
      "x.h": "",
      "y.h": "",
      "z.h": "",
      "e.h": "",
      "no.h": "",
    },
    reads: ["a.cpp", "e.h", "x.h", "y.h", "z.h"],
  },
  "raw strings": {
    files: {
      "a.cpp":
        'auto a = R"(\n#include "no.h"\n)"; auto b = u8R"x(\n)"\n#include "no.h"\n)x";\nauto c = LR"(\n#if 0\n)";\n#include "x.h"\nauto d = "R\\"(";\n#include "y.h"\nint n = 1\'000;\n#include "z.h"\n',
      "x.h": "",
      "y.h": "",
      "z.h": "",
      "no.h": "",
    },
    args: ["-std=c++14"],
    reads: ["a.cpp", "x.h", "y.h", "z.h"],
  },
  "no raw strings before C++11": {
    files: { "a.cpp": '#define R\nconst char* a = R"(";\n#include "x.h"\n// )"\n', "x.h": "" },
    args: ["-std=gnu++98"],
    reads: ["a.cpp", "x.h"],
  },
  "rubbish where nothing is compiled": {
    files: {
      "a.cpp":
        '#if 0\ndon\'t "\n#foo\n#else what\n#include "x.h"\n#endif 7\n#if 0\n#if (((\n#elif 1 +\n#endif\n#endif\n',
      "x.h": "",
    },
    reads: ["a.cpp", "x.h"],
  },
  "marks, zeros and bytes that are not text": {
    files: {
      "a.cpp":
        '\uFEFF#include "x.h"\r\n// \u00e9\r\n#define \u00e9 1\r\n#if \u00e9\r\n#include "\u00e9.h"\r\n#endif\r\n',
      "x.h": "\0\n",
      "\u00e9.h": "",
    },
    reads: ["a.cpp", "x.h", "\u00e9.h"],
  },
  "macros are defined again and undefined": {
    files: {
      "a.cpp":
        '#define A 1\n#undef A\n#define A 2\n#define B A\n#undef A\n#define A 3\n#if B == 3\n#include "x.h"\n#endif\n#undef B\n#if B + 1 == 1\n#include "y.h"\n#endif\n',
      "x.h": "",
      "y.h": "",
    },
    reads: ["a.cpp", "x.h", "y.h"],
  },
  "#line and line markers": {
    files: {
      "a.cpp": '#line 7 "other/y.cpp"\n#include "x.h"\n# 8 "other/z.cpp" 2\n#include "x.h"\n',
      "x.h": "",
      "other/x.h": "",
    },
    reads: ["a.cpp", "x.h"],
    absent: ["other/y.cpp", "other/z.cpp"],
  },
  "C, where true is a name and and is none": {
    files: {
      "a.c": '#if true\n#include "no.h"\n#endif\n#define and &&\n#if 1 and 1\n#include "x.h"\n#endif\n',
      "x.h": "",
      "no.h": "",
    },
    args: ["-x", "c"],
    more: { source: "a.c", language: "c" },
    reads: ["a.c", "x.h"],
  },
  "C++, where true is 1 and and is an operator": {
    files: { "a.cpp": '#if true and not false\n#include "x.h"\n#endif\n', "x.h": "" },
    reads: ["a.cpp", "x.h"],
  },
  "comments of C90": {
    files: { "a.c": '#define A 4 //**/ 2\n#include "x.h" // x\n', "x.h": "" },
    args: ["-x", "c", "-std=gnu90"],
    more: { source: "a.c", language: "c" },
    reads: ["a.c", "x.h"],
  },
};

for (const [
  what,
  { files, links = {}, args, more = {}, reads, asked = [], absent = [], only },
] of Object.entries(cases)) {
  for (const compiler of compilers) {
    if (only !== undefined && only !== compiler.family) continue;
    test(`${what} (${compiler.name})`, async (t) => {
      if (compiler.path === undefined) return t.skip(`needs ${compiler.name}`);
      const project = new Project(t);
      for (const [name, text] of Object.entries(files)) project.write(name, text);
      for (const [name, target] of Object.entries(links)) project.link(name, target);
      if (what === "an absolute include") project.write("a.cpp", `#include "${project.at("dir/x.h")}"\n`);
      project.makeFolder("empty");
      const compilation = project.compilation("a.cpp", args, more);
      // gcc lists no header that is only asked for, clang all.
      const probed = compiler.family === "gcc" ? asked : [];
      const scanner = createScanner();
      const first = await compareWithCompiler(scanner, project, compiler, compilation, probed);
      assert.deepEqual(first.own, [...reads, ...asked].sort());
      for (const name of absent)
        assert.ok(first.absent.includes(name), `${name} in ${first.absent.join(" ")}`);
      const again = await compareWithCompiler(scanner, project, compiler, compilation, probed);
      assert.deepEqual(again, first, "replayed");
      return undefined;
    });
  }
}

interface Unscannable {
  readonly text: string;
  readonly reason: RegExp;
  readonly args?: readonly string[];
  readonly only?: CompilerFamily;
}

const unscannable: Readonly<Record<string, Unscannable>> = {
  "an include that is missing": { text: "#include <none.h>\n", reason: /^missing-include/ },
  "a question about what is behind the last folder": {
    text: "#include <x.h>\n",
    reason: /^missing-include/,
    args: ["-nostdinc", "-isystem", "last"],
    only: "gcc",
  },
  "text behind a condition": { text: "#if 1 2\n#endif\n", reason: /^condition/ },
  "a division by zero": { text: "#if 1 / 0\n#endif\n", reason: /^condition/ },
  "a call of what is no macro": { text: "#if NONE(1)\n#endif\n", reason: /^condition/ },
  "a condition without an end": { text: "#if 1\n", reason: /^condition/ },
  "an end without a condition": { text: "#endif\n", reason: /^condition/ },
  __LINE__: { text: "#if __LINE__ == 1\n#endif\n", reason: /^condition/ },
  "__COUNTER__ that text may have used": {
    text: "int a = __COUNTER__;\n#if __COUNTER__\n#endif\n",
    reason: /^condition/,
  },
  "a computed name that is none": { text: "#define A 1\n#include A\n", reason: /^computed-name/ },
  "a computed name with blanks": { text: "#define A(x) <x.h>\n#include A( y )\n", reason: /^computed-name/ },
  "a macro that text may have popped": {
    text: '#define A 1\n#define POP _Pragma("pop_macro(\\"A\\")")\nPOP\n#if A\n#endif\n',
    reason: /^hidden-pragma/,
  },
  "a pushed macro whose name is computed": {
    text: "#define PUSH(x) push_macro(#x)\n#define P(x) _Pragma(#x)\nP(PUSH(A))\n",
    reason: /^hidden-pragma/,
  },
  "_Pragma of a dependency": { text: '_Pragma("GCC dependency \\"x.h\\"")\n', reason: /^hidden-pragma/ },
  ".incbin": { text: 'asm(".incbin \\"x.bin\\"");\n', reason: /^construct/ },
  "a module import": { text: "import std;\n", reason: /^construct/, args: ["-std=c++20"] },
  "names for the preprocessor alone": { text: "", reason: /^option: -Wp/, args: ["-Wp,-DA"] },
  "traditional preprocessing": { text: "", reason: /^option/, args: ["-traditional-cpp"] },
  "an endless include": { text: '#include "a.cpp"\n', reason: /^limit/ },
  "a lone carriage return": { text: "// x\r#include <none.h>\n", reason: /^hidden-pragma/ },
};

for (const [what, { text, reason, args = [], only }] of Object.entries(unscannable)) {
  for (const compiler of compilers) {
    if (only !== undefined && only !== compiler.family) continue;
    test(`${what} is for the compiler (${compiler.name})`, async (t) => {
      if (compiler.path === undefined) return t.skip(`needs ${compiler.name}`);
      const project = new Project(t);
      project.write("a.cpp", text);
      project.write("last/x.h", "#if __has_include_next(<x.h>)\n#endif\n");
      const found = await scan(createScanner(), project, compiler, project.compilation("a.cpp", args));
      assert.ok(
        typeof found === "string" && reason.test(found),
        JSON.stringify(found, undefined, 1).slice(0, 200),
      );
      return undefined;
    });
  }
}

for (const compiler of compilers) {
  test(`changes between two scans are seen (${compiler.name})`, async (t) => {
    if (compiler.path === undefined) return t.skip(`needs ${compiler.name}`);
    const project = new Project(t);
    const compilation = project.compilation("a.cpp", ["-Ione", "-Itwo"]);
    const scanner = createScanner();
    const reads = async (): Promise<readonly string[]> =>
      (await compareWithCompiler(scanner, project, compiler, compilation)).own;
    project.write("a.cpp", "#include <x.h>\n#include <z.h>\n");
    project.write("two/x.h", '#include "y.h"\n');
    project.write("two/y.h", "");
    project.write("two/z.h", "#ifdef Y\n#include <w.h>\n#endif\n");
    project.write("two/w.h", "");
    project.makeFolder("one");
    assert.deepEqual(await reads(), ["a.cpp", "two/x.h", "two/y.h", "two/z.h"]);
    project.write("two/y.h", "#define Y\n");
    assert.deepEqual(await reads(), ["a.cpp", "two/w.h", "two/x.h", "two/y.h", "two/z.h"], "edited");
    project.write("one/y.h", "");
    assert.deepEqual(await reads(), ["a.cpp", "two/w.h", "two/x.h", "two/y.h", "two/z.h"]);
    project.write("one/x.h", '#include "y.h"\n');
    assert.deepEqual(await reads(), ["a.cpp", "one/x.h", "one/y.h", "two/z.h"], "shadowed");
    rmSync(project.at("one"), { recursive: true });
    assert.deepEqual(await reads(), ["a.cpp", "two/w.h", "two/x.h", "two/y.h", "two/z.h"], "folder removed");
    renameSync(project.at("two"), project.at("three"));
    project.link("two", "three");
    assert.deepEqual(await reads(), ["a.cpp", "three/w.h", "three/x.h", "three/y.h", "three/z.h"], "a link");
    project.write("four/x.h", "");
    project.write("four/z.h", "");
    rmSync(project.at("two"));
    project.link("two", "four");
    assert.deepEqual(await reads(), ["a.cpp", "four/x.h", "four/z.h"], "another target");
    return undefined;
  });

  test(`equal headers with #pragma once are one file to gcc if their time is, and two to clang (${compiler.name})`, async (t) => {
    if (compiler.path === undefined) return t.skip(`needs ${compiler.name}`);
    const project = new Project(t);
    const text = '#pragma once\n#ifdef X\n#include "twice.h"\n#endif\n#define X\n';
    project.write("one/x.h", text);
    project.write("two/x.h", text);
    project.write("two/twice.h", "");
    project.write("a.cpp", '#include "one/x.h"\n#include "two/x.h"\n');
    const compilation = project.compilation("a.cpp");
    const scanner = createScanner();
    // gcc reads the second one to compare it, and does not list it.
    const reads = async (compared: readonly string[] = []): Promise<boolean> =>
      (await compareWithCompiler(scanner, project, compiler, compilation, compared)).own.includes(
        "two/twice.h",
      );
    assert.equal(await reads(compiler.family === "gcc" ? ["two/x.h"] : []), compiler.family === "clang");
    utimesSync(project.at("two/x.h"), 1_500_000_000, 1_500_000_000);
    assert.equal(await reads(), true, "another time");
    rmSync(project.at("two/x.h"));
    linkSync(project.at("one/x.h"), project.at("two/x.h"));
    assert.equal(await reads(["two/x.h"]), false, "the same inode");
    return undefined;
  });

  test(`scans of different options do not mix (${compiler.name})`, async (t) => {
    if (compiler.path === undefined) return t.skip(`needs ${compiler.name}`);
    const project = new Project(t);
    project.write("a.cpp", '#include "x.h"\n');
    project.write("x.h", '#if A == 1\n#include "1.h"\n#elif __OPTIMIZE__\n#include "o.h"\n#endif\n');
    for (const name of ["1.h", "o.h"]) project.write(name, "");
    const scanner = createScanner();
    for (const [args, reads] of [
      [["-DA"], "1.h"],
      [["-O2"], "o.h"],
      [["-DA=1", "-O2"], "1.h"],
      [["-O1", "-DA=2"], "o.h"],
      [["-DA"], "1.h"],
    ] as const) {
      const { own } = await compareWithCompiler(
        scanner,
        project,
        compiler,
        project.compilation("a.cpp", args),
      );
      assert.deepEqual(own, [reads, "a.cpp", "x.h"].sort());
    }
    return undefined;
  });

  test(`scans at the same time do not disturb each other (${compiler.name})`, async (t) => {
    if (compiler.path === undefined) return t.skip(`needs ${compiler.name}`);
    const project = new Project(t);
    const scanner = createScanner();
    const headers = ["vector", "map", "regex", "iostream", "memory", "string"];
    const compilations = headers.map((header, index) => {
      project.write(`${index}.cpp`, `#include <${header}>\n#if __has_attribute(homcc_${index})\n#endif\n`);
      return project.compilation(`${index}.cpp`, [`-DN=${index}`, index % 2 === 0 ? "-O1" : "-O0"]);
    });
    await Promise.all(
      compilations.map((compilation) => compareWithCompiler(scanner, project, compiler, compilation)),
    );
    return undefined;
  });

  test(`a list that is another than the compiler's is never used again (${compiler.name})`, async (t) => {
    if (compiler.path === undefined) return t.skip(`needs ${compiler.name}`);
    const project = new Project(t);
    project.write("a.cpp", '#include "x.h"\n');
    project.write("x.h", "");
    const scanner = createScanner({ find: () => Promise.resolve(notFound("inputs-unknown", "asked")) }, 1);
    const compilation = project.compilation("a.cpp");
    const context = project.context(compiler.path, compiler.family);
    const right = await scanner.find(compilation, context);
    assert.ok(right.kind === "found" && right.confirm !== undefined && !right.lasting);
    assert.equal(await right.confirm(), true);
    const wrong = await scanner.find(compilation, context);
    assert.ok(wrong.kind === "found" && wrong.confirm !== undefined);
    // The compiler is asked later than the scanner looked.
    writeFileSync(project.at("y.h"), "");
    project.write("x.h", '#include "y.h"\n');
    assert.equal(await wrong.confirm(), false);
    assert.equal((await scanner.find(compilation, context)).kind, "local");
    return undefined;
  });

  test(`a scan is compared on demand, or it is said why there is none (${compiler.name})`, async (t) => {
    if (compiler.path === undefined) return t.skip(`needs ${compiler.name}`);
    const project = new Project(t);
    project.write("a.cpp", '#include "x.h"\n#if __has_include("probed.h")\n#endif\n');
    project.write("x.h", "");
    project.write("probed.h", "");
    project.write("line.cpp", "#if __LINE__ == 1\n#endif\n");
    project.write("broken.cpp", '#include "none.h"\n');
    const context = project.context(compiler.path, compiler.family);
    const scanner = createScanner();
    const compare = (source: string, ...args: string[]): Promise<ScanComparison> =>
      scanner.compare(project.compilation(source, args), context);
    const compared = await compare("a.cpp");
    assert.ok(compared.kind === "compared", JSON.stringify(compared));
    // clang lists also what is only asked for.
    const extra = compiler.family === "gcc" ? [project.at("probed.h")] : [];
    assert.deepEqual([compared.missing, compared.extra], [[], extra]);
    assert.ok(compared.files >= 3);
    const reasonOf = async (source: string, ...args: string[]): Promise<string> => {
      const comparison = await compare(source, ...args);
      return comparison.kind === "not-scanned" ? comparison.reason : JSON.stringify(comparison);
    };
    assert.match(await reasonOf("line.cpp"), /^condition: .*__LINE__/);
    assert.match(await reasonOf("broken.cpp"), /^missing-include: .*none\.h/);
    assert.match(await reasonOf("a.cpp", "-std=nonsense"), /^compiler: /);
    project.write("x.h.gch", "");
    if (compiler.family === "gcc") assert.match(await reasonOf("a.cpp"), /^precompiled header .*x\.h\.gch/);
    return undefined;
  });
}
