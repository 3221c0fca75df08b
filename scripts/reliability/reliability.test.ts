import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import {
  recordFault,
  recordHostileRequest,
  recordLoad,
  recordMalformedInput,
  recordsVariable,
} from "../../test/support/reliability.ts";
import { renderReliabilityDocument } from "./document.ts";
import { isRecording } from "./recording-tests.ts";
import { formatRows, mergeRows, parseRecords, parseRows, rowsOf } from "./results.ts";

const root = join(import.meta.dirname, "../..");
const document = readFileSync(join(root, "docs/reliability.md"), "utf8");
const rows = parseRows(readFileSync(join(root, "docs/reliability.json"), "utf8"));

test("the document has the tables of the results, and every row is proved by a test that records it", () => {
  assert.equal(renderReliabilityDocument(document, rows), document, "run npm run reliability");
  assert.equal(formatRows(rowsOf(rows)), readFileSync(join(root, "docs/reliability.json"), "utf8"));
  for (const { file, name } of rows) {
    assert.ok(existsSync(join(root, file)), `${name}: ${file} is gone`);
    assert.ok(isRecording(root, file), file);
  }
});

test("no fault of the table lost a compile, no input crashed anything, and every hostile request was refused", () => {
  for (const { section, name, figures } of rows) {
    if (section === "faults")
      assert.deepEqual([figures["survived"], figures["lostJobs"]], [figures["tried"], 0], name);
    if (section === "malformed inputs") assert.equal(figures["crashes"], 0, name);
    if (section === "hostile requests") assert.equal(figures["refused"], figures["tried"], name);
  }
});

test("records of one name add up, those of a load do not, and rows keep their order", () => {
  const folder = mkdtempSync(join(tmpdir(), "homcc-reliability-test-"));
  const before = process.env[recordsVariable];
  process.env[recordsVariable] = join(folder, "log");
  try {
    recordLoad("50 clients", { "jobs/s": 1 });
    recordLoad("50 clients", { "jobs/s": 2.5 });
    recordFault("a fault", { tried: 2, survived: 2, lostJobs: 0 });
    recordFault("a fault", { tried: 3, survived: 2, lostJobs: 1 });
    recordMalformedInput("frames", { tried: 1000, crashes: 0 });
    recordHostileRequest("a path", { tried: 5, refused: 5 });
    const records = parseRecords(readFileSync(join(folder, "log"), "utf8"));
    const file = "scripts/reliability/reliability.test.ts";
    const expected = [
      { section: "faults", name: "a fault", file, figures: { tried: 5, survived: 4, lostJobs: 1 } },
      { section: "malformed inputs", name: "frames", file, figures: { tried: 1000, crashes: 0 } },
      { section: "hostile requests", name: "a path", file, figures: { tried: 5, refused: 5 } },
      { section: "load", name: "50 clients", file, figures: { "jobs/s": 2.5 } },
    ];
    assert.deepEqual(rowsOf(records), expected);
    assert.deepEqual(
      rowsOf(records.toReversed()).map(({ name }) => name),
      expected.map(({ name }) => name),
    );
    assert.deepEqual(parseRows(formatRows(rowsOf(records))), expected);
  } finally {
    if (before === undefined) delete process.env[recordsVariable];
    else process.env[recordsVariable] = before;
    rmSync(folder, { recursive: true });
  }
});

test("a run replaces the rows of its files, leaves others, and forgets those of files that are gone", () => {
  const row = (file: string, tried: number) =>
    ({ section: "malformed inputs", name: "x", file, figures: { tried, crashes: 0 } }) as const;
  const merged = mergeRows([row("a", 1), row("b", 1), row("gone", 1)], [row("a", 7)], {
    ran: new Set(["a"]),
    exists: (file) => file !== "gone",
  });
  assert.deepEqual(
    merged.map(({ file, figures }) => `${file} ${figures["tried"]}`),
    ["a 7", "b 1"],
  );
});

test("what makes no sense is not recorded", () => {
  assert.throws(() => recordFault("", { tried: 1, survived: 1, lostJobs: 0 }));
  assert.throws(() => recordFault("a | b", { tried: 1, survived: 1, lostJobs: 0 }));
  assert.throws(() => recordFault("more survived than tried", { tried: 1, survived: 2, lostJobs: 0 }));
  assert.throws(() => recordHostileRequest("half", { tried: 1.5, refused: 1 }));
  assert.throws(() => recordMalformedInput("no number", { tried: Number.NaN, crashes: 0 }));
  assert.throws(() => recordLoad("less than nothing", { n: -1 }));
});
