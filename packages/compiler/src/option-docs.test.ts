import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { renderOptionTable } from "./option-docs.ts";

test("docs/compiler-options.md is what the table says", async () => {
  const file = new URL("../../../docs/compiler-options.md", import.meta.url);
  if (process.env["HOMCC_UPDATE_DOCS"] === "1") await writeFile(file, renderOptionTable());
  assert.equal(await readFile(file, "utf8"), renderOptionTable(), "run this test with HOMCC_UPDATE_DOCS=1");
});
