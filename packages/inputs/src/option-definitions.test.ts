import assert from "node:assert/strict";
import { test } from "node:test";
import { optionDefinitions } from "./option-definitions.ts";

const definitions = (...args: string[]): string => Buffer.from(optionDefinitions(args)).toString();

test("options become directives", () => {
  assert.equal(
    definitions("-DA", "-D", "B=<b.h>", "-DC=x=y"),
    "#define A 1\n#define B <b.h>\n#define C x=y\n",
  );
  assert.equal(definitions("-DHAVE(x)=__has_include(x)"), "#define HAVE(x) __has_include(x)\n");
  assert.equal(definitions("--define-macro=A", "--define-macro", "B="), "#define A 1\n#define B \n");
  assert.equal(definitions("-DA=1\n#include <b.h>"), "#define A 1\n");
  assert.equal(definitions("-Iinclude", "-O2"), "");
});
