/**
 * Random macros and conditions: which groups of 40 conditions are taken is compared with the compiler, which lists what
 * is included in them. And random headers, in folders before and behind each other, that include each other.
 */
import { rmSync } from "node:fs";
import { test } from "node:test";
import * as fc from "fast-check";
import { compilers, Project } from "./discovery.fixture.ts";
import { compareWithCompiler, createScanner, scan } from "./scanning.fixture.ts";
import { fileText, guarded, header } from "@homcc/scanner/random-headers.fixture";

const conditionsPerFile = 40;
const names = ["A", "B", "C", "D", "E"] as const;
const functions = ["F", "G", "H"] as const;

const number = fc.oneof(
  fc.integer({ min: 0, max: 9 }).map(String),
  fc.constantFrom(
    "0x7fffffff",
    "0xffffffffffffffff",
    "9223372036854775807",
    "18446744073709551615u",
    "0u",
    "1ull",
    "010",
    "0b101",
    "1'000",
    "2147483648",
    "'a'",
    "'\\n'",
    "'\\0'",
    "L'x'",
  ),
);

const { expression } = fc.letrec<{ expression: string; leaf: string }>((tie) => ({
  leaf: fc.oneof(
    { weight: 3, arbitrary: number },
    { weight: 3, arbitrary: fc.constantFrom(...names) },
    { weight: 2, arbitrary: fc.constantFrom(...names).map((name) => `defined(${name})`) },
    { weight: 1, arbitrary: fc.constantFrom(...names).map((name) => `defined ${name}`) },
    { weight: 1, arbitrary: fc.constantFrom("true", "false", "__cplusplus", "__GNUC__", "nothing") },
  ),
  expression: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    tie("leaf"),
    fc
      .tuple(
        tie("expression"),
        fc.constantFrom(
          "+",
          "-",
          "*",
          "&",
          "|",
          "^",
          "<",
          ">",
          "<=",
          ">=",
          "==",
          "!=",
          "&&",
          "||",
          "and",
          "or",
        ),
        tie("expression"),
      )
      .map(([left, operator, right]) => `${left} ${operator} ${right}`),
    fc
      .tuple(tie("expression"), fc.constantFrom("/", "%"), tie("expression"))
      .map(([left, operator, right]) => `${left} ${operator} ((${right}) | 1)`),
    fc
      .tuple(tie("expression"), fc.constantFrom("<<", ">>"), tie("expression"))
      .map(([left, operator, right]) => `(${left}) ${operator} ((${right}) & 31)`),
    fc
      .tuple(fc.constantFrom("!", "-", "~", "+", "not "), tie("expression"))
      .map(([sign, it]) => `${sign}(${it})`),
    fc
      .tuple(tie("expression"), tie("expression"), tie("expression"))
      .map(([condition, one, other]) => `((${condition}) ? ${one} : ${other})`),
    fc
      .tuple(fc.constantFrom(...functions), tie("expression"), tie("expression"))
      .map(([macro, one, other]) => `${macro}((${one}), (${other}))`),
    tie("expression").map((it) => `H(${it})`),
    tie("expression").map((it) => `(${it})`),
  ),
}));

const objectMacro = fc
  .tuple(fc.constantFrom(...names), fc.oneof(expression, fc.constantFrom("1 + 1", "F", "(2)", "B", "A")))
  .map(([name, body]) => `#define ${name} ${body}`);
const functionMacro = fc
  .tuple(
    fc.constantFrom(...functions),
    fc.constantFrom("a, b", "b, a", "a, ...", "a, b..."),
    fc.constantFrom(
      "((a) + 1)",
      "F(a, 2)",
      "(a + A)",
      "a",
      "(a) G (1, a)",
      "(1##0)",
      "H(a, 1) + 0",
      "defined(A) + (a)",
      "(0 __VA_OPT__(+ 1))",
      "a##1",
    ),
  )
  .map(([name, parameters, body]) => {
    const usable =
      parameters.includes("...") && !parameters.includes("b")
        ? body
        : body.replace(/__VA_OPT__\((.*?)\)/, "$1");
    return `#define ${name}(${parameters}) ${usable}`;
  });
const removal = fc.constantFrom(...names).map((name) => `#undef ${name}`);
const macros = fc.array(
  fc.oneof({ weight: 3, arbitrary: objectMacro }, { weight: 1, arbitrary: functionMacro }, removal),
  {
    maxLength: 8,
  },
);
const condition = fc.record({ macros, expression, other: expression });

/** Groups whose conditions compilers refuse are left out, one by one: what is an error says nothing. */
function source(conditions: readonly { macros: string[]; expression: string; other: string }[]): string {
  const text = conditions
    .map(({ macros: before, expression: one, other }, index) =>
      [
        ...before,
        `#if ${one}`,
        `#include "t/${index}-if.h"`,
        `#elif ${other}`,
        `#include "t/${index}-elif.h"`,
        "#else",
        `#include "t/${index}-else.h"`,
        "#endif",
        "",
      ].join("\n"),
    )
    .join("");
  return `#define F(a, b) ((a) + (b))\n#define G(a, b) (a)\n#define H(a, ...) (a)\n${text}`;
}

for (const compiler of compilers) {
  test(`conditions are evaluated as by the compiler (${compiler.name})`, async (t) => {
    if (compiler.path === undefined) return t.skip(`needs ${compiler.name}`);
    const project = new Project(t);
    for (let index = 0; index < conditionsPerFile; index += 1) {
      for (const branch of ["if", "elif", "else"]) project.write(`t/${index}-${branch}.h`);
    }
    const compilation = project.compilation("a.cpp", ["-std=gnu++20", "-w"]);
    const scanner = createScanner();
    let compared = 0;
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(condition, { minLength: 20, maxLength: conditionsPerFile, size: "max" }),
        async (conditions) => {
          // Each alone first: the scanner has no opinion on some, and those would hide the others.
          const known: typeof conditions = [];
          for (const one of conditions) {
            project.write("a.cpp", source([...known, one]));
            const found = await scanner.find(
              compilation,
              project.context(compiler.path ?? "", compiler.family),
            );
            if (found.kind === "found") known.push(one);
            else refused += 1;
          }
          project.write("a.cpp", source(known));
          await compareWithCompiler(scanner, project, compiler, compilation);
          compared += known.length;
        },
      ),
      { numRuns: 25 },
    );
    t.diagnostic(`${compared} conditions compared, ${refused} refused`);
    if (compared < refused) throw new Error("most conditions were refused: nothing is proved");
    return undefined;
  });
}

const place = fc.constantFrom("", "sub/", "q/", "one/", "one/sub/", "two/");
const path = fc.tuple(place, header).map(([folder, name]) => `${folder}${name}.h`);

for (const compiler of compilers) {
  test(`random headers include each other as with the compiler (${compiler.name})`, async (t) => {
    if (compiler.path === undefined) return t.skip(`needs ${compiler.name}`);
    const project = new Project(t);
    const scanner = createScanner();
    const args = ["-iquoteq", "-Ione", "-Itwo", "-Itwo/sub", "-w"];
    let compared = 0;
    const texts = fc.array(fc.tuple(path, fileText), { minLength: 15, maxLength: 30, size: "max" });
    await fc.assert(
      fc.asyncProperty(texts, fileText, async (files, main) => {
        for (const folder of ["sub", "q", "one", "two"])
          rmSync(project.at(folder), { recursive: true, force: true });
        for (const name of ["a", "b", "c", "d", "e", "f"]) {
          for (const folder of ["two", "two/sub/sub"])
            project.write(`${folder}/${name}.h`, `#define ${name.toUpperCase()}\n`);
        }
        for (const [name, text] of files) project.write(name, guarded(name, text));
        project.write("a.cpp", main);
        const compilation = project.compilation("a.cpp", args);
        if (typeof (await scan(scanner, project, compiler, compilation)) === "string") return;
        // gcc lists neither what is only asked for nor what turns out to be included already.
        await compareWithCompiler(
          scanner,
          project,
          compiler,
          compilation,
          compiler.family === "gcc" ? "any" : [],
        );
        compared += 1;
      }),
      { numRuns: 60 },
    );
    t.diagnostic(`${compared} units compared`);
    if (compared < 30) throw new Error("too few units to prove anything");
    return undefined;
  });
}
