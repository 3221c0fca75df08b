import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { DirectiveLexer, listDirectives } from "./directive-lexer.ts";
import type { LexicalDialect } from "./directives.ts";

const modern: LexicalDialect = { trigraphs: false, digraphs: true, rawStrings: true, lineComments: true };

function directives(source: string, dialect = modern): string[] {
  const list = listDirectives(Buffer.from(source), dialect);
  return list.directives.map(({ kind, operand, definition }) => [kind, operand, definition].join("|"));
}

/** Source, and its directives as `kind|operand|definition`. */
const cases: readonly (readonly [string, readonly string[], LexicalDialect?])[] = [
  ['#include "a.h" // x\n #  include<b.h>\n', ['include|"a.h|', "include|<b.h|"]],
  [
    "#include <a//b.h>\n#if __has_include(<a//b.h>) // c\n#endif\n",
    ["include|<a//b.h|", "if| __has_include(<a//b.h>)  |", "endif||"],
  ],
  ["#include A /* x */ B\n", ["include|~A   B|"]],
  [
    "#define A/* x */1\n#define B(x,y) x /* y */ y\n#define C\n",
    ["define|A| 1", "define|B|(x,y)x   y", "define|C| "],
  ],
  ['#define S "/* no */" \'"\' /* c */ 1\n', ['define|S| "/* no */" \'"\'   1']],
  [
    "#define V(a, ...) a\n#define W(b...) b\n#define N() 1\n",
    ["define|V|(a,...)a", "define|W|(b...)b", "define|N|()1"],
  ],
  ["#define F(1) x\n#define G(a\n", ["opaque|parameters of F|", "opaque|parameters of G|"]],
  ["#define \\u00e9 1\n", ["opaque|#define without a name|"]],
  ["%:define A\n", ["define|A| "]],
  ["%:define A\n", [], { ...modern, digraphs: false }],
  ["??=define A ??/\n1\n", ["define|A| 1"], { ...modern, trigraphs: true }],
  ["??=define A\n", []],
  ['auto a = R"(\n#define A\n)";\n', []],
  ['auto a = R"(\n#define A\n)";\n', ["define|A| "], { ...modern, rawStrings: false }],
  [
    "#define A 4 //**/ 2\n",
    ["opaque|// in a directive of C90|", "define|A| 4 //**/ 2"],
    { ...modern, lineComments: false },
  ],
  ["#pragma once\n#pragma omp x\n#pragma GCC poison X\n", ["once||"]],
  [
    '#pragma push_macro ( "A" )\n#pragma pop_macro("A")\n#pragma push_macro(A)\n',
    ["push_macro|A|", "pop_macro|A|", "opaque|#pragma push_macro|"],
  ],
  ["#pragma GCC dependency <x.y> rebuild\n", ["dependency|<x.y|"]],
  ['#line 3 "a\\\\b"\n# 4 "<built-in>"\n#line L\n#line 5\n', ['line|"a\\b|', "line|~ L|"]],
  ["#error don't\n#define A\n#unknown\n# comment of an assembler\n#\n", ["define|A| "]],
  ["char c = '\"';\n#define A\nint n = 1'000'000;\n#define B\n", ["define|A| ", "define|B| "]],
  ["don't\n#define A\n\"open\n#define B\n", ["define|A| ", "define|B| "]],
  ["/*\n#define A\n*/#define B\n", ["define|B| "]],
  ["// x \\\n#define A\n#define B\n", ["define|B| "]],
  ["#de\\\nfine A\\  \n B\n", ["define|A| B"]],
  ["x #define A\n", []],
];

for (const [source, expected, dialect] of cases) {
  test(`directives of ${JSON.stringify(source)}${dialect === undefined ? "" : " in another dialect"}`, () => {
    assert.deepEqual(directives(source, dialect), expected);
  });
}

test("a guard is one around everything", () => {
  const guards: readonly (readonly [string, string | undefined])[] = [
    ["// c\n#ifndef A\n#define A\n#if 1\n#else\n#endif\n#endif\n// c\n", "A"],
    ["#if !defined ( A )\n#endif", "A"],
    ["#if !defined A\n#endif", "A"],
    ["#if !defined A || 1\n#endif", undefined],
    ["#ifdef A\n#endif", undefined],
    ["#ifndef A\n#else\n#endif", undefined],
    ["#ifndef A\n#endif\n#include <a.h>\n", undefined],
    ["#include <a.h>\n#ifndef A\n#endif\n", undefined],
    ["#ifndef A\n#endif\n#ifndef A\n#endif\n", undefined],
    ["", undefined],
  ];
  for (const [source, guard] of guards)
    assert.equal(listDirectives(Buffer.from(source), modern).guard, guard, source);
});

test("what happens out of sight is noted", () => {
  const list = (source: string): ReturnType<typeof listDirectives> =>
    listDirectives(Buffer.from(source), modern);
  assert.equal(list("int a = __COUNTER__;\n").counts, true);
  assert.equal(list("#if __COUNTER__ == 0\n#endif\n").counts, false);
  assert.deepEqual(
    list('#define P _Pragma("push_macro(\\"A\\")") _Pragma("pop_macro(\\"B\\")")\n').uncertain,
    ["A", "B"],
  );
  assert.notEqual(list("#define P(x) DO(push_macro(x))\n").hidden, undefined);
  assert.notEqual(list('_Pragma ( "once" )\n').hidden, undefined);
  assert.notEqual(list("a\rb\n").hidden, undefined);
  assert.equal(list('#pragma push_macro("A")\r\n').hidden, undefined);
});

test("lexing in steps gives the same list as at once", () => {
  const piece = fc.constantFrom(
    "#",
    "define",
    " A ",
    "\n",
    '"',
    "'",
    "/*",
    "*/",
    "//",
    "\\\n",
    'R"(',
    ')"',
    "include <a>",
    "if",
    "x",
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), fc.integer({ min: 1, max: 9 }), (pieces, step) => {
      const source = Buffer.from(pieces.join(""));
      const lexer = new DirectiveLexer(source, modern);
      while (lexer.advance(step));
      assert.deepEqual(lexer.list(), listDirectives(source, modern));
    }),
  );
});

test("no bytes make the lexer fail", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      listDirectives(bytes, { ...modern, trigraphs: true });
    }),
  );
});
