import assert from "node:assert/strict";
import { test } from "node:test";
import { coloured, wantsColour } from "./colour.ts";
import { clientLine } from "./log.ts";

for (const [environment, onTerminal, elsewhere] of [
  [{}, true, false],
  [{ TERM: "xterm" }, true, false],
  [{ TERM: "dumb" }, false, false],
  [{ NO_COLOR: "1" }, false, false],
  [{ NO_COLOR: "" }, true, false],
  [{ CLICOLOR: "0" }, false, false],
  [{ CLICOLOR: "1" }, true, false],
  [{ CLICOLOR_FORCE: "1" }, true, true],
  [{ CLICOLOR_FORCE: "0" }, true, false],
  [{ CLICOLOR_FORCE: "1", TERM: "dumb" }, true, true],
  [{ CLICOLOR_FORCE: "1", NO_COLOR: "1" }, false, false],
] as const) {
  test(`colours with ${JSON.stringify(environment)}`, () => {
    assert.deepEqual(
      [wantsColour(environment, true), wantsColour(environment, false)],
      [onTerminal, elsewhere],
    );
  });
}

test("a coloured line has the plain one in one piece", () => {
  for (const level of ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] as const)
    assert.ok(coloured(clientLine)(level, "text").includes(`[HOMCC-${level}] text`));
  assert.equal(coloured(clientLine)("WARNING", "text"), "\u001B[33m[HOMCC-WARNING] text\u001B[0m");
  assert.equal(coloured(clientLine)("INFO", "text"), "[HOMCC-INFO] text");
});
