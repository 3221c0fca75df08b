import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const root = join(import.meta.dirname, "..");
const document = readFileSync(join(root, "docs/migrating-from-homcc-1.md"), "utf8");
const rows = document
  .split("\n")
  .filter((line) => line.startsWith("| ") && !line.startsWith("| README"))
  .map((line) => line.split(" | ").map((cell) => cell.replace(/^\| | \|$/g, "")));

test("every row says what became of the statement", () => {
  assert.ok(rows.length >= 60, `${rows.length} rows`);
  for (const [statement = "", verdict = ""] of rows)
    assert.match(verdict, /^(as before|changed: |obsolete: )/, statement);
});

test("every row names a test that exists", () => {
  for (const [statement = "", , proof = ""] of rows) {
    const [, path = "", title] = /^`([^`]+)`(?:: (.*))?$/.exec(proof) ?? [];
    assert.notEqual(path, "", statement);
    const place = join(root, path);
    if (title === undefined) assert.ok(statSync(place).isFile() || path.endsWith("/"), path);
    else assert.ok(readFileSync(place, "utf8").includes(title), `${path} has no test "${title}"`);
  }
});
