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
  ["a\na\n a\n #define A\na\n\na /*\n#define B\n*/\n%:define C\n", ["define|A| ", "define|C| "]],
  ["a\na\nb\nimport a;\n", ["module|import a;|"]],
  ['a\na\nasm(".incbin \\"x\\"");\n', ["assembler|x|"]],
  ['asm(".incbin \\"é\\"");\n', ["assembler|\u00c3\u00a9|"]],
  ["a\r\na\r\nb\r\n#define A\r\n", ["define|A| "]],
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
  assert.notEqual(list("int a;\nint b;\nDO(push_macro(x))\n").hidden, undefined);
  assert.equal(list("int a;\n// push_macro(x)\n").hidden, undefined);
  assert.notEqual(list("#define P(x) DO(push_macro(x))\n").hidden, undefined);
  assert.notEqual(list('_Pragma ( "once" )\n').hidden, undefined);
  assert.notEqual(list("a\rb\n").hidden, undefined);
  assert.equal(list('#pragma push_macro("A")\r\n').hidden, undefined);
});

/** Pieces of which any text may be made, mostly lines that do nothing. */
const piece = fc.constantFrom(
  ...'#|%:|define|include <a>|if|ifdef|endif|pragma once|import| A |x|1|\'|"|R"(|R"x(|)"|)x"|<|>'.split("|"),
  ..."/*|*/|//|/|\\|\\\n|\\ \r\n|??=|??/|??/\n|\n|\n|\r\n|\0|\uFEFF| |\t|\f|'a'|\"b\"|1'000".split("|"),
  "int a;\n",
  "int a;\n  int b;\n\n",
  "  return a;\r\n",
  "\nimport a;\n",
  "\n  export module a;\n",
  "\n@import a;\n",
  "x import\n",
  '\nR"(\n#define A\n',
  ')";\n',
  "\n%:define A\n",
);
const dialect = fc.record({
  trigraphs: fc.boolean(),
  digraphs: fc.boolean(),
  rawStrings: fc.boolean(),
  lineComments: fc.boolean(),
});
const text = fc.array(piece, { maxLength: 80 }).map((pieces) => pieces.join(""));

test("lexing in steps gives the same list as at once", () => {
  fc.assert(
    fc.property(text, dialect, fc.integer({ min: 1, max: 9 }), (pieces, language, step) => {
      const source = Buffer.from(pieces);
      const lexer = new DirectiveLexer(source, language);
      while (lexer.advance(step));
      assert.deepEqual(lexer.list(), listDirectives(source, language));
    }),
  );
});

test("lines that are jumped over do nothing", () => {
  fc.assert(
    fc.property(text, dialect, (pieces, language) => {
      // Where macros may be pushed, each line is looked at. All that differs is a letter of a comment.
      const lists = ["P", "p"].map((letter) =>
        listDirectives(Buffer.from(`${pieces}\n\n// ${letter}ush_macro\n`), language),
      );
      assert.deepEqual(lists[0]?.directives, lists[1]?.directives);
    }),
    { numRuns: 1000 },
  );
});

test("no bytes make the lexer fail", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      listDirectives(bytes, { ...modern, trigraphs: true });
    }),
  );
});
