import assert from "node:assert/strict";
import { test } from "node:test";
import { outcomes } from "@homcc/observability/outcomes";
import type { JobRecord } from "./job-log.ts";
import { addTallies, emptyTally, outcomeNames, sumsOf, type Tally, tallyOf } from "./tally.ts";

const record: JobRecord = {
  time: "2026-11-25T12:00:00.000Z",
  pid: 1,
  source: "a.cpp",
  outcome: "compiled-remotely",
  host: "build:3126",
  detail: "",
  sentBytes: 1000,
  receivedBytes: 200,
  wallMs: 900,
  compileMs: 700,
  executor: "namespace",
};

function tallyOfAll(records: readonly Partial<JobRecord>[]): Tally {
  return records
    .map((changes) => tallyOf({ ...record, ...changes }, 1000))
    .reduce((sum, one) => addTallies(sum, one), emptyTally(500));
}

test("jobs are counted by outcome, with what they cost", () => {
  const tally = tallyOfAll([{}, {}, { outcome: "no-server", sentBytes: 0, receivedBytes: 0, compileMs: 0 }]);
  assert.deepEqual(tally, {
    sinceMs: 500,
    outcomes: {
      "compiled-remotely": { count: 2, wallMs: 1800, details: {} },
      "no-server": { count: 1, wallMs: 900, details: {} },
    },
    sentBytes: 2000,
    receivedBytes: 400,
    compileMs: 1400,
    incompleteScans: 0,
    audits: { identical: 0, different: 0, void: 0, impossible: 0 },
  });
});

test("configure checks, version queries and links are no compiles", () => {
  const tally = tallyOfAll(outcomeNames.map((outcome) => ({ outcome })));
  const { compiles, remote, local, fallback, otherCalls } = sumsOf(tally);
  assert.equal(otherCalls, 5);
  assert.equal(compiles + otherCalls, Object.keys(outcomes).length);
  assert.deepEqual([remote, remote + local + fallback], [4, compiles]);
  for (const outcome of ["configure-check", "no-compilation", "linking-only"] as const)
    assert.equal(sumsOf(tallyOfAll([{ outcome }])).compiles, 0);
});

test("the reasons of local compiles are counted, and never more than a few", () => {
  const march = { outcome: "local-option", detail: "-march=native" } as const;
  const tally = tallyOfAll([march, march, { outcome: "no-server", detail: "build:3126: refused" }]);
  assert.deepEqual(tally.outcomes["local-option"]?.details, { "-march=native": 2 });
  assert.deepEqual(tally.outcomes["no-server"]?.details, {});
  const reasons = [
    "/src/a.c mentions the time",
    "/src/b.c mentions the time",
    "its .o file names its folder",
  ];
  const compiled = tallyOfAll(reasons.map((detail) => ({ outcome: "compiled-remotely", detail })));
  assert.deepEqual(compiled.outcomes["compiled-remotely"]?.details, {
    "a file mentions the time": 2,
    "its .o file names its folder": 1,
  });
  const many = tallyOfAll(
    Array.from({ length: 500 }, (_, index) => ({
      outcome: "local-option",
      detail: `-${"x".repeat(200)}${index}`,
    })),
  );
  assert.equal(many.outcomes["local-option"]?.count, 500);
  assert.ok(JSON.stringify(many).length < 4000);
  const different = tallyOfAll(
    Array.from({ length: 500 }, (_, index) => ({ outcome: "local-option", detail: `-x${index}` })),
  );
  const { details = {} } = different.outcomes["local-option"] ?? {};
  assert.equal(
    Object.values(details).reduce((sum, count) => sum + count, 0),
    500,
  );
  assert.equal(Object.keys(details).length, 31);
});
