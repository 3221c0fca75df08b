import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { hasCode } from "@homcc/observability/error";
import { checkJsonBounds } from "./json-bounds.ts";
import { maxMessageDepth, maxMessageValues } from "./limits.ts";

const check = (text: string): void => checkJsonBounds(Buffer.from(text));
const isProtocolError = (error: unknown): boolean => hasCode(error, "ERR_HOMCC_PROTOCOL");

const nested = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);

test("any JSON that is shallow and short passes", () => {
  fc.assert(fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => check(JSON.stringify(value))));
});

test("brackets and commas within strings do not count", () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom("[", "{", '"', "\\", ",", "ä", "]", "}") }), (text) => {
      check(JSON.stringify(Array.from({ length: 40 }, () => text)));
    }),
  );
});

test("nesting ends at the limit", () => {
  check(nested(maxMessageDepth));
  assert.throws(() => check(nested(maxMessageDepth + 1)), isProtocolError);
  assert.throws(() => check(`{"a":`.repeat(1_000_000)), isProtocolError);
});

test("the number of values ends at the limit", () => {
  check(`[${"1,".repeat(maxMessageValues - 1)}1]`);
  assert.throws(() => check(`[${"[],".repeat(maxMessageValues)}1]`), isProtocolError);
});

test("text that ends within a string is left to the parser", () => {
  for (const text of ['"', '"\\', '"\\"', '["a\\\\\\"']) check(text);
});
