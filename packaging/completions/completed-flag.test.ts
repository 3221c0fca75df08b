import assert from "node:assert/strict";
import { test } from "node:test";
import { ownWordOf } from "@homcc/homcc/ask/own-words";
import { optionsOf } from "@homcc/config/options";
import { openings } from "@homcc/config/help";
import { completedFlags, ownWords, serverWords } from "./completed-flag.ts";

test("every flag of the table is completed, with a summary of one line and what its value may be", () => {
  for (const program of ["homcc", "homccd"] as const) {
    const flags = completedFlags(program);
    const expected = optionsOf(program).flatMap(([, option]) => option.flags);
    assert.deepEqual(
      flags.map(({ flag }) => flag),
      expected,
    );
    for (const { flag, summary } of flags) assert.match(summary, /^[^\n'"`[\]$\\]{5,200}$/, flag);
  }
  const level = completedFlags("homccd").find(({ flag }) => flag === "--log-level");
  assert.deepEqual(level?.value, {
    kind: "choice",
    name: "LEVEL",
    choices: ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"],
  });
  assert.equal(completedFlags("homccd").find(({ flag }) => flag === "--store")?.value.kind, "path");
});

test("the words of homcc's own are those that homcc knows", () => {
  for (const { word } of ownWords) assert.equal(ownWordOf(word), word);
});

test("the words of homccd are those that its help names", () => {
  const named = [...openings.homccd.matchAll(/^ {7}homccd (?:\[[^\]]*\] )?([a-z]+)/gm)].map(
    ([, word]) => word,
  );
  assert.deepEqual(new Set(serverWords.map(({ word }) => word)), new Set(named));
});
