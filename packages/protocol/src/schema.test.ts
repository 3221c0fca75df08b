import assert from "node:assert/strict";
import { test } from "node:test";
import { hasCode, HomccError } from "@homcc/observability/error";
import {
  array,
  bool,
  converted,
  dictionary,
  int,
  oneOf,
  optional,
  parse,
  prose,
  record,
  string,
  union,
} from "./schema.ts";

const shape = record({
  name: string({ maxLength: 8 }),
  sizes: array(int(0, 10), 3),
  flags: dictionary(string({ maxLength: 4 }), bool, 2),
  state: union("kind", { on: record({ level: int(1, 2) }), off: record({}) }),
  mode: optional(oneOf(["fast", "slow"])),
});

const valid = { name: "a", sizes: [1, 2], flags: { x: true }, state: { kind: "on", level: 2 } };

const failure = (value: unknown): string => {
  try {
    parse(shape, value, "shape");
  } catch (error) {
    assert.ok(hasCode(error, "ERR_HOMCC_PROTOCOL"));
    assert.ok(error instanceof HomccError);
    return error.message;
  }
  throw new Error("was accepted");
};

test("a value that fits is read, without its unknown members", () => {
  assert.deepEqual(parse(shape, { ...valid, mode: "fast", future: [1] }, "shape"), {
    ...valid,
    mode: "fast",
  });
  assert.deepEqual(parse(shape, { ...valid, mode: undefined }, "shape"), valid);
  const state = { kind: "off", level: "later versions may say more" };
  assert.deepEqual(parse(shape, { ...valid, state }, "shape").state, { kind: "off" });
});

test("an error names the path, what was expected and what was found", () => {
  const cases: readonly (readonly [unknown, string])[] = [
    [null, "shape: expected an object, found null"],
    [{}, "shape.name: expected a string, found nothing"],
    [{ ...valid, name: "123456789" }, 'shape.name: expected at most 8 characters, found "123456789"'],
    [{ ...valid, name: "a\0" }, 'shape.name: expected Unicode text without NUL, found "a\\u0000"'],
    [{ ...valid, name: "\ud800" }, 'shape.name: expected Unicode text without NUL, found "\\ud800"'],
    [{ ...valid, sizes: [1, -1] }, "shape.sizes[1]: expected an integer from 0 to 10, found -1"],
    [{ ...valid, sizes: [1.5] }, "shape.sizes[0]: expected an integer from 0 to 10, found 1.5"],
    [{ ...valid, sizes: [1, 2, 3, 4] }, "shape.sizes: expected at most 3 elements, found an array of 4"],
    [{ ...valid, flags: { x: 1 } }, 'shape.flags["x"]: expected true or false, found 1'],
    [
      { ...valid, flags: { toolong: true } },
      'shape.flags["toolong"]: expected at most 4 characters, found "toolong"',
    ],
    [
      { ...valid, flags: { a: true, b: true, c: true } },
      "shape.flags: expected at most 2 members, found an object",
    ],
    [{ ...valid, state: { kind: "gone" } }, 'shape.state.kind: expected one of on, off, found "gone"'],
    [
      { ...valid, state: { kind: "toString" } },
      'shape.state.kind: expected one of on, off, found "toString"',
    ],
    [
      { ...valid, state: { kind: "on", level: 3 } },
      "shape.state.level: expected an integer from 1 to 2, found 3",
    ],
    [{ ...valid, mode: "medium" }, 'shape.mode: expected one of fast, slow, found "medium"'],
    [{ ...valid, mode: null }, "shape.mode: expected one of fast, slow, found null"],
  ];
  for (const [value, message] of cases) assert.equal(failure(value), message);
});

test("an error stays short whatever was sent", () => {
  assert.match(failure({ ...valid, name: "x".repeat(100_000) }), /found a string of 100000 characters$/);
  assert.ok(failure({ ...valid, flags: { ["k".repeat(100_000)]: true } }).length < 300);
});

test("members of an object's prototype are not members, and __proto__ is one like any other", () => {
  const names = dictionary(string({ maxLength: 20 }), string({ maxLength: 20 }), 5);
  const hostile: unknown = JSON.parse('{"__proto__": "x", "constructor": "y"}');
  const read = parse(names, hostile, "names");
  assert.deepEqual(Object.keys(read).sort(), ["__proto__", "constructor"]);
  assert.equal(Object.getPrototypeOf(read), Object.prototype);
  assert.throws(
    () => parse(record({ toString: string({ maxLength: 9 }) }), {}, "x"),
    /x\.toString: .* found nothing/,
  );
});

test("converted gives the converted value", () => {
  const even = converted("an even number", (text) => (Number(text) % 2 === 0 ? Number(text) : undefined));
  assert.equal(parse(even, "4", "n"), 4);
  assert.throws(() => parse(even, "3", "n"), /n: expected an even number, found "3"/);
});

test("prose is never refused for what it says", () => {
  assert.equal(parse(prose(5), "a\0b\u001bcdef", "p"), "a b c");
  assert.throws(() => parse(prose(5), 7, "p"), /p: expected a string, found 7/);
});

test("an unknown choice reads as the fallback, where there is one", () => {
  const reason = oneOf(["full", "refused"], "refused");
  assert.equal(parse(reason, "of a newer version", "r"), "refused");
  assert.throws(() => parse(reason, 7, "r"), /one of full, refused/);
});
