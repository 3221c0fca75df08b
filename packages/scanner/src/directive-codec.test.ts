/**
 * test/vectors/scanner/*.hex are lists as agents have them on disk. UPDATE_VECTORS=1 writes them anew; when an old one
 * changes, so must the version.
 */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import * as fc from "fast-check";
import { decodeDirectiveList, directiveListVersion, encodeDirectiveList } from "./directive-codec.ts";
import { listDirectives } from "./directive-lexer.ts";
import { type Directive, directiveKinds, type DirectiveList, guardOf } from "./directives.ts";

const folder = join(import.meta.dirname, "../../../test/vectors/scanner");
const dialect = { trigraphs: false, digraphs: true, rawStrings: true, lineComments: true };

const examples: Readonly<Record<string, string>> = {
  guarded: '#ifndef A_H\n#define A_H\n#include <a.h>\n#include "b.h"\n#endif\n',
  macros:
    "#define F(a, b...) a##b // c\n#define E\n#undef E\n#if F(1, 2) && __has_include(<x.h>)\n#elif 1\n#else\n#endif\n",
  others:
    '#pragma once\n#include NAME\n#include_next <n.h>\n#import "i.h"\n#embed <e.bin>\n#pragma push_macro("M")\n#pragma pop_macro("M")\n#line 3 "l.y"\n#pragma GCC dependency "d.y"\nimport std;\nasm(".incbin \\"x\\"");\n#ifdef A\n#elifdef B\n#elifndef C\n#endif\n#define 1\n',
  hidden: 'int a = __COUNTER__;\n#define POP _Pragma("pop_macro(\\"min\\")")\n#define P(x) push_macro(x)\n',
  "not-ascii": '#define \u00e9 1\n#include "\u00e9.h"\n',
  empty: "",
};

const text = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)) });
const directive: fc.Arbitrary<Directive> = fc.oneof(
  fc
    .tuple(fc.constantFrom(...directiveKinds.filter((kind) => kind !== "define")), text)
    .map(([kind, operand]) => ({ kind, operand, definition: "" })),
  fc.tuple(text, text).map(([operand, definition]) => ({ kind: "define", operand, definition }) as const),
);
const list: fc.Arbitrary<DirectiveList> = fc
  .record({
    directives: fc.array(directive),
    counts: fc.boolean(),
    uncertain: fc.array(text),
    hidden: fc.option(text, { nil: undefined }),
  })
  .map((fields) => ({ ...fields, guard: guardOf(fields.directives) }));

for (const [name, source] of Object.entries(examples)) {
  test(`the list of ${name} has the bytes of its vector`, () => {
    const expected = listDirectives(Buffer.from(source), dialect);
    const file = join(folder, `${name}.hex`);
    if (process.env["UPDATE_VECTORS"] === "1") {
      mkdirSync(folder, { recursive: true });
      writeFileSync(file, hexOf(encodeDirectiveList(expected)));
    }
    const bytes = Buffer.from(readFileSync(file, "utf8").replaceAll(/\s/g, ""), "hex");
    assert.deepEqual(Buffer.from(encodeDirectiveList(expected)), bytes);
    assert.deepEqual(decodeDirectiveList(bytes), expected);
  });
}

test("every vector belongs to an example", () => {
  assert.deepEqual(
    readdirSync(folder).sort(),
    Object.keys(examples)
      .map((name) => `${name}.hex`)
      .sort(),
  );
});

test("what is encoded is decoded", () => {
  fc.assert(fc.property(list, (one) => assert.deepEqual(decodeDirectiveList(encodeDirectiveList(one)), one)));
});

test("nothing is read from bytes that are cut, longer, or of another version", () => {
  fc.assert(
    fc.property(list, fc.nat(), (one, cut) => {
      const bytes = encodeDirectiveList(one);
      assert.equal(decodeDirectiveList(bytes.subarray(0, cut % bytes.length)), undefined);
      assert.equal(decodeDirectiveList(Buffer.concat([bytes, Buffer.of(0)])), undefined);
      const other = Uint8Array.from(bytes);
      other[0] = directiveListVersion + 1;
      assert.equal(decodeDirectiveList(other), undefined);
    }),
  );
});

test("no bytes make the decoder fail, and what it accepts is as it encodes it", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      const decoded = decodeDirectiveList(Buffer.concat([Buffer.of(directiveListVersion), bytes]));
      if (decoded !== undefined) assert.deepEqual(decodeDirectiveList(encodeDirectiveList(decoded)), decoded);
    }),
  );
});

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString("hex")
    .replaceAll(/.{1,64}/g, "$&\n");
}
