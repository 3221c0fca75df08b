import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { printable } from "./printable.ts";

test("what terminals obey is taken out, what people read stays", () => {
  assert.equal(printable("größer\n\t„x“ 🙂", 100), "größer\n\t„x“ 🙂");
  assert.equal(printable("a\0b\u001b[31mc\u009bd\u007f\re", 100), "a b [31mc d  e");
  assert.equal(printable("x\ud800y", 100), "x\ufffdy");
  assert.equal(printable("abc", 2), "ab");
  assert.equal(printable("🙂", 1), "\ufffd", "a pair that was cut");
});

test("the result is always well-formed and short, and stays as it is", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.nat(30), (text, maxLength) => {
      const clean = printable(text, maxLength);
      assert.ok(clean.isWellFormed() && clean.length <= maxLength);
      assert.equal(printable(clean, maxLength), clean);
    }),
  );
});
