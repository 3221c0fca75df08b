import assert from "node:assert/strict";
import { test } from "node:test";
import { nameUsesIn } from "./name-uses.ts";

const root = "/home/me/project";
const file = `"${root}/a.c"`;
const call = "void __homcc_gone(void);__homcc_gone();";

async function usesIn(text: string, family: "gcc" | "clang" = "gcc"): Promise<string> {
  const uses = await nameUsesIn(Buffer.from(text), root, family);
  return uses.kind === "in-statements" ? uses.text.toString() : uses.kind;
}

test("markers of lines are no use of a name", async () => {
  assert.equal(await usesIn(`# 0 ${file}\n# 1 ${file} 1 3\nint a;\n# 2 ${file} 2\n`), "none");
  assert.equal(await usesIn(`int a;\n#pragma message ${file}\n`), "elsewhere");
  assert.equal(await usesIn(`# pragma message ${file}\n`), "elsewhere");
});

test("the innermost braces around a name are emptied, and nothing else", async () => {
  const before = "int f(int x) { if (x) ";
  assert.equal(await usesIn(`${before}{ log(${file}); } return x; }`), `${before}{${call}} return x; }`);
  assert.equal(
    await usesIn(`void f() { g(); { h(${file}); } } void g() { h(${file}, { 1 }); } int n;`),
    `void f() { g(); {${call}} } void g() {${call}} int n;`,
  );
  assert.equal(await usesIn(`void f() { { h(${file}); } h(${file}); }`), `void f() {${call}}`);
});

test("lines keep their numbers, markers and pragmas", async () => {
  const text = `void f() {\n h(\n# 7 ${file} 3 4\n  ${file});\n#pragma GCC x\n }\nint line_7;\n`;
  assert.equal(await usesIn(text), `void f() {${call}\n\n# 7 ${file} 3 4\n\n#pragma GCC x\n}\nint line_7;\n`);
});

test("braces in texts are none", async () => {
  for (const text of [
    String.raw`"{" "\"{" '{' '\'' L'{' u8"}"`,
    'R"({"{)" LR"x(}")}")x"',
    "1'000'000 0x1'F 1e+5'0",
    "#pragma {",
  ]) {
    const head = `void f() {\n${text}\n`;
    assert.equal(await usesIn(`${head}{ h(${file}); } }`), `${head}{${call}} }`, text);
  }
});

test("a name outside of all braces stays where it is", async () => {
  assert.equal(await usesIn(`int n = sizeof(${file});`), "elsewhere");
  assert.equal(await usesIn(`void f() {} int n = sizeof(${file}); void g() { h(${file}); }`), "elsewhere");
  assert.equal(await usesIn(`} int n = sizeof(${file});`), "elsewhere");
  assert.equal(await usesIn(`void f() { h(${file});`), "elsewhere", "no end");
});

test("every form of the folder is one", async () => {
  for (const name of [`L${file}`, `"..${root}/a.h"`, `R"(${root}/a.h)"`, `"x=" ${file}`])
    assert.equal(await usesIn(`void f() { h(${name}); }`), `void f() {${call}}`, name);
});

test("a builtin that yields a name is replaced by what no constant can have", async () => {
  const gone = "(*(const char*const volatile*)0)";
  assert.equal(
    await usesIn("struct L { L(const char *s = __builtin_FILE ( ), int n = 1); };"),
    `struct L { L(const char *s = ${gone}, int n = 1); };`,
  );
  assert.equal(await usesIn("auto x = __builtin_source_location();", "clang"), `auto x = ${gone};`);
  assert.equal(await usesIn("auto *f = &__builtin_FILE;"), "elsewhere");
});

test("clang calls types after files", async () => {
  const text = "void f() { h(__PRETTY_FUNCTION__); }";
  assert.equal(await usesIn(text, "clang"), `void f() {${call}}`);
  assert.equal(await usesIn(text, "gcc"), "none");
});
