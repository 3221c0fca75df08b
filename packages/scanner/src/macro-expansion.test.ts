import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import * as fc from "fast-check";
import { findProgram } from "@homcc/compiler/find-program";
import { CannotScan } from "./cannot-scan.ts";
import { listDirectives } from "./directive-lexer.ts";
import { Expansion } from "./macro-expansion.ts";
import { MacroState } from "./macro-state.ts";
import { MacroTable } from "./macro-table.ts";
import { tokenize } from "./tokens.ts";

const dialect = { trigraphs: false, digraphs: true, rawStrings: true, lineComments: true };
const gcc = findProgram("gcc", "/usr/bin:/bin");

/** Lines that begin with `#` are directives, all others are expanded. */
function expand(source: string): string[] {
  const table = new MacroTable();
  const state = new MacroState(table);
  state.begin();
  const results: string[] = [];
  for (const line of source.split("\n")) {
    const [directive] = listDirectives(Buffer.from(`${line}\n`), dialect).directives;
    if (directive?.kind === "define")
      state.write(table.symbol(directive.operand), table.definition(directive.definition));
    else if (directive?.kind === "undef") state.write(table.symbol(directive.operand), 0);
    else if (line.trim() !== "") results.push(words(new Expansion(tokenize(line), table, state).rest()));
  }
  return results;
}

function words(tokens: readonly { readonly text: string }[]): string {
  return tokens.map(({ text }) => text).join(" ");
}

const examples: readonly (readonly [string, readonly string[]])[] = [
  [
    "#define xstr(s) str(s)\n#define str(s) # s\n#define INCFILE(n) vers ## n\nxstr(INCFILE(2).h)",
    ['"vers2.h"'],
  ],
  [
    '#define glue(a, b) a ## b\n#define xglue(a, b) glue(a, b)\n#define HIGHLOW "hello"\n#define LOW LOW ", world"\nglue(HIGH, LOW);\nxglue(HIGH, LOW)',
    ['"hello" ;', '"hello" ", world"'],
  ],
  [
    "#define t(x,y,z) x ## y ## z\n{ t(1,2,3), t(,4,5), t(6,,7), t(8,9,), t(10,,), t(,11,), t(,,12), t(,,) };",
    ["{ 123 , 45 , 67 , 89 , 10 , 11 , 12 , } ;"],
  ],
  ['#define s(x) #x\ns( a  b ) s("q\\n") s(\'"\') s()', ['"a b" "\\"q\\\\n\\"" "\'\\"\'" ""']],
  ["#define v(a, ...) a __VA_ARGS__\nv(1, 2, 3) v(1) v((1, 2), 3)", ["1 2 , 3 1 ( 1 , 2 ) 3"]],
  ["#define v(a, ...) f(a, ## __VA_ARGS__)\nv(1, 2) v(1)", ["f ( 1 , 2 ) f ( 1 )"]],
  ["#define o(a, ...) a __VA_OPT__(has __VA_ARGS__ !)\no(1) o(1, 2) o(1, )", ["1 1 has 2 ! 1"]],
  ["#define f(a) a f\nf(1)(2)", ["1 f ( 2 )"]],
  ["#define A B\n#define B A\nA B", ["A B"]],
  ["#define f(x) x\n#define e\nf(e) f(f)(1) f (2) f", ["f ( 1 ) 2 f"]],
  [
    "#define hash_hash # ## #\n#define mkstr(a) # a\n#define in_between(a) mkstr(a)\n#define join(c, d) in_between(c hash_hash d)\njoin(x, y)",
    ['"x ## y"'],
  ],
];

for (const [source, expected] of examples) {
  test(`expansion of ${JSON.stringify(source.split("\n").at(-1))}`, () => {
    assert.deepEqual(expand(source), expected);
  });
}

test("what has no certain expansion is refused", () => {
  for (const line of ["F(1)", "F(1, 2, 3)", "F(1", "G(a)", "H(", "__VA(1,)"]) {
    const source = `#define F(a, b) a\n#define G(x) x ## /\n#define H() 1\n#define __VA(a, ...) f(a, ## __VA_ARGS__)\n${line}`;
    assert.throws(() => expand(source), CannotScan, line);
  }
});

test("calls within calls are bounded, not by the stack", () => {
  const nested = `${"f(".repeat(5000)}1${")".repeat(5000)}`;
  assert.throws(() => expand(`#define f(x) x\n${nested}`), CannotScan);
});

test("an expansion that does not end soon is refused", () => {
  const doubling = Array.from({ length: 40 }, (_, index) => `#define A${index + 1} A${index} A${index}`);
  assert.throws(() => expand(["#define A0 x", ...doubling, "A40"].join("\n")), CannotScan);
});

const name = fc.constantFrom("A", "B", "C", "F", "G", "H", "x", "y");
const word = fc.oneof(
  name,
  fc.constantFrom("1", "(", ")", ",", "+", '"s"', "F(x)", "G(y, 1)", "H()", "H(A, B)"),
);
const body = fc.array(word, { maxLength: 5 }).map((texts) => texts.join(" "));
const parameterBody = fc
  .array(fc.oneof(word, fc.constantFrom("a", "b", "#a", "a ## b", "a ## 1", "x ## a ## b")), { maxLength: 5 })
  .map((texts) => texts.join(" "));
const definition = fc.oneof(
  fc.tuple(fc.constantFrom("A", "B", "C"), body).map(([macro, text]) => `#define ${macro} ${text}`),
  fc
    .tuple(
      fc.constantFrom("F", "G", "H"),
      fc.constantFrom("a, b", "b, a", "a, ...", "a, b..."),
      parameterBody,
    )
    .map(([macro, parameters, text]) =>
      parameters.includes("b")
        ? `#define ${macro}(${parameters}) ${text}`
        : `#define ${macro}(${parameters}) ${text.replaceAll(/\bb\b/g, "__VA_ARGS__")}`,
    ),
  fc.constantFrom("A", "B", "F", "G").map((macro) => `#undef ${macro}`),
);

test("random macros expand as with gcc -E", (t) => {
  if (gcc === undefined) return t.skip("needs gcc");
  let compared = 0;
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.array(definition, { maxLength: 3 }), body), {
        minLength: 10,
        maxLength: 30,
        size: "max",
      }),
      (groups) => {
        let source = "";
        let expected: string[] = [];
        for (const [definitions, line] of groups) {
          const longer = `${source}${definitions.join("\n")}\n${line} ;\n`;
          try {
            expected = expand(longer);
            source = longer;
          } catch (error) {
            if (!(error instanceof CannotScan)) throw error;
          }
        }
        // A call may go on in the next line, which directives do not: a marker between them ends it.
        const marked = source.replaceAll(/^(.*) ;$/gm, "$1 ;\n@");
        const output = execFileSync(gcc, ["-E", "-P", "-w", "-std=gnu17", "-x", "c", "-"], {
          input: marked,
          stdio: ["pipe", "pipe", "ignore"],
        });
        const lines = output.toString().split("@").slice(0, -1);
        assert.deepEqual(
          expected,
          lines.map((line) => words(tokenize(line))),
        );
        compared += expected.length;
      },
    ),
    { numRuns: 60 },
  );
  t.diagnostic(`${compared} expansions compared`);
  assert.ok(compared > 300, "too few expansions to prove anything");
  return undefined;
});
