import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import * as fc from "fast-check";
import { shellWords } from "./shell-words.ts";

test("words, quotes and backslashes", () => {
  const cases: readonly (readonly [string, readonly string[] | undefined])[] = [
    ["", []],
    ["  \t\n", []],
    ["-o BatchMode=yes", ["-o", "BatchMode=yes"]],
    [` -i '/a b/key'  -p 22 `, ["-i", "/a b/key", "-p", "22"]],
    [`-o "ProxyCommand=nc -x 'a' \\"%h\\" \\$x \\n"`, ["-o", `ProxyCommand=nc -x 'a' "%h" $x \\n`]],
    [`a'b'"c"\\ d ''`, ["abc d", ""]],
    [`a'b`, undefined],
    [`"a\\"`, undefined],
    ["a\\", undefined],
  ];
  for (const [text, words] of cases) assert.deepEqual(shellWords(text), words, text);
});

test("what a shell makes of the same text", () => {
  const part = fc.constantFrom(...Array.from("ab '\"\\-=/\t"), '\\"', "''", '" "');
  const texts = fc.sample(fc.array(part, { maxLength: 12 }), 300).map((parts) => parts.join(""));
  // A newline after a backslash, and what a shell expands, are not among the parts.
  const wellFormed = texts.filter((text) => shellWords(text) !== undefined);
  const script = wellFormed.map((text) => `printf '%s\\0' ${text}; printf '\\1'`).join("\n");
  const printed = execFileSync("/bin/sh", ["-c", script], { encoding: "utf8" }).split("\u0001");
  wellFormed.forEach((text, index) => {
    const words = shellWords(text);
    // printf without an argument prints its format once.
    const expected = words?.length === 0 ? "\0" : words?.map((word) => `${word}\0`).join("");
    assert.equal(printed[index], expected, JSON.stringify(text));
  });
});
