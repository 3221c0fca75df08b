import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { InputEntry } from "@homcc/cas/action";
import { digestOf } from "@homcc/cas/digest";
import { hasCode } from "@homcc/observability/error";
import { EntryBudget } from "./entry-budget.ts";
import { maxDeclaredEntries, maxSessionEntries } from "./limits.ts";
import { decodeMessage, encodeMessage } from "./message-codec.ts";
import { clientMessages, type JobMessage } from "./messages.ts";
import {
  type CodedEntries,
  EntryNumbering,
  EntryTable,
  fromDifferences,
  toDifferences,
} from "./session-entries.ts";

const isProtocolError = (error: unknown): boolean => hasCode(error, "ERR_HOMCC_PROTOCOL");

const file = (path: string, text: string, mtimeNs = 0n): InputEntry => ({
  kind: "file",
  path,
  digest: digestOf(Buffer.from(text)),
  mtimeNs,
});

/** A few paths that are now a file, now a folder, now a link: every path at most once per job. */
const files: fc.Arbitrary<InputEntry[]> = fc.uniqueArray(
  fc
    .record({
      path: fc.constantFrom("/a", "/b/c", "/b/d", "/e", "/ä/ö"),
      variant: fc.integer({ min: 0, max: 5 }),
    })
    .map(({ path, variant }): InputEntry => {
      if (variant === 0) return { kind: "directory", path };
      if (variant === 1) return { kind: "symlink", path, target: "../x" };
      return file(path, `${variant}`, 1_700_000_000_123_456_789n + BigInt(variant % 2));
    }),
  { selector: (entry) => entry.path },
);
const absentPaths = fc.uniqueArray(fc.constantFrom("/n/1", "/n/2", "/n/3"));

/** The job's files and absent paths, as the server sees them. */
function assertResolves(
  numbering: EntryNumbering,
  table: EntryTable,
  inputs: readonly InputEntry[],
  absent: readonly string[],
): void {
  numbering.encode(
    inputs,
    () => absent,
    (coded) => {
      const resolved = table.resolve(overTheWire(coded));
      assert.deepEqual(sorted(resolved.inputs), sorted(inputs));
      assert.deepEqual(resolved.absent.sort(), [...absent].sort());
    },
  );
}

test("every job of a session resolves to its own files, over the wire's text", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(files, absentPaths), { maxLength: 12 }),
      fc.nat({ max: 9 }),
      (jobs, maxRecent) => {
        // Also where most entries are kept packed.
        const numbering = new EntryNumbering(maxRecent);
        const table = new EntryTable();
        for (const [inputs, absent] of jobs) {
          assertResolves(numbering, table, inputs, absent);
          assert.equal(numbering.count, table.count);
        }
      },
    ),
    { numRuns: 200 },
  );
});

test("a list that was coded before resolves to the same files, whatever was coded in between", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(files, absentPaths), { minLength: 1, maxLength: 6 }),
      fc.array(fc.nat(5), { maxLength: 12 }),
      (jobs, order) => {
        const numbering = new EntryNumbering();
        const table = new EntryTable();
        for (const index of order) {
          const [inputs, absent] = jobs[index % jobs.length]!;
          assertResolves(numbering, table, inputs, absent);
        }
      },
    ),
    { numRuns: 200 },
  );
});

test("a list that was coded before is not gone through while no number was handed out", () => {
  const numbering = new EntryNumbering();
  let asked = 0;
  const code = (inputs: readonly InputEntry[]): void =>
    numbering.encode(
      inputs,
      () => [`/asked/${(asked += 1)}`],
      () => {},
    );
  const inputs = [file("/a.h", "a")];
  code(inputs);
  code(inputs);
  assert.equal(asked, 1);
  code([file("/b.h", "b")]);
  code(inputs);
  assert.equal(asked, 3);
});

for (const maxRecent of [undefined, 0, 1, 3])
  test(`what the server knows travels as a number; entries that are kept as they are: ${maxRecent ?? "all"}`, () => {
    const numbering = new EntryNumbering(maxRecent);
    const coded: CodedEntries[] = [];
    const inputs = [file("/a.h", "a"), file("/b.h", "b"), file("/c.h", "c")];
    numbering.encode(
      inputs,
      () => ["/missing.h"],
      (entries) => coded.push(entries),
    );
    numbering.encode(
      [inputs[0]!, inputs[2]!],
      () => ["/missing.h"],
      (entries) => coded.push(entries),
    );
    numbering.encode(
      [file("/a.h", "a", 1n), inputs[1]!],
      () => [],
      (entries) => coded.push(entries),
    );
    assert.deepEqual(
      coded.map(({ declareFrom, declare, inputs }) => ({
        declareFrom,
        declared: declare.map(({ path }) => path),
        inputs,
      })),
      [
        { declareFrom: 0, declared: ["/a.h", "/b.h", "/c.h", "/missing.h"], inputs: [0, 1, 1, 1] },
        { declareFrom: 4, declared: [], inputs: [0, 2, 1] },
        { declareFrom: 4, declared: ["/a.h"], inputs: [1, 3] },
      ],
    );
  });

test("a job that was not sent takes no numbers", () => {
  const numbering = new EntryNumbering();
  const failure = new Error("the channel refuses it");
  assert.throws(
    () =>
      numbering.encode(
        [file("/a.h", "a")],
        () => [],
        () => {
          throw failure;
        },
      ),
    failure,
  );
  assert.equal(numbering.count, 0);
  numbering.encode(
    [file("/b.h", "b")],
    () => [],
    (coded) => {
      assert.deepEqual(new EntryTable().resolve(coded).inputs, [file("/b.h", "b")]);
    },
  );
});

const many = (count: number, prefix: string): InputEntry[] =>
  Array.from({ length: count }, (_, index) => ({ kind: "directory", path: `/${prefix}${index}` }));
const never = (): void => assert.fail("was sent");

test("a job with too many new files, and a full session, are refused before anything is sent", () => {
  const numbering = new EntryNumbering();
  assert.throws(() => numbering.encode(many(maxDeclaredEntries + 1, "a"), () => [], never), isProtocolError);
  for (let round = 0; round < maxSessionEntries / maxDeclaredEntries; round++) {
    numbering.encode(
      many(maxDeclaredEntries, `${round}-`),
      () => [],
      () => {},
    );
  }
  assert.equal(numbering.count, maxSessionEntries);
  assert.throws(() => numbering.encode([file("/one-more", "x")], () => [], never), isProtocolError);
  numbering.encode(
    many(1, "0-"),
    () => [],
    () => {},
  );
});

test("numbers that stand for nothing, and ends that disagree, are protocol errors", () => {
  const declare = [{ kind: "directory", path: "/d" }] as const;
  for (const bad of [
    { declareFrom: 0, declare: [], inputs: [0] },
    { declareFrom: 0, declare, inputs: [1] },
    { declareFrom: 0, declare, inputs: [0, 1] },
    { declareFrom: 0, declare, inputs: [0, 0] },
    { declareFrom: 1, declare, inputs: [] },
  ]) {
    assert.throws(() => new EntryTable().resolve(bad), isProtocolError);
  }
});

test("differences give the numbers back, ascending and once each", () => {
  fc.assert(
    fc.property(fc.array(fc.nat()), (numbers) => {
      const expected = [...new Set(numbers)].sort((a, b) => a - b);
      assert.deepEqual(fromDifferences(toDifferences(numbers)), expected);
    }),
  );
});

function overTheWire(coded: CodedEntries): JobMessage {
  const job: JobMessage = {
    kind: "job",
    toolchain: {
      digest: digestOf(Buffer.alloc(0)),
      driver: "/usr/bin/g++",
      family: "gcc",
      version: "g++ 12",
    },
    steps: [],
    cwd: "/",
    environment: {},
    umask: 0o022,
    terminal: {},
    ...coded,
    outputs: [],
    timeoutMs: 1000,
    label: "a.cpp",
  };
  const message = decodeMessage(clientMessages, encodeMessage(clientMessages, job));
  assert.ok(message?.kind === "job");
  return message;
}

function sorted(entries: readonly InputEntry[]): InputEntry[] {
  return [...entries].sort((a, b) => (a.path < b.path ? -1 : 1));
}

test("the tables of all connections share one budget, which comes back when they end", () => {
  const budget = new EntryBudget(1000);
  const job = (count: number, declareFrom = 0) => ({
    declareFrom,
    declare: Array.from({ length: count }, (_, at) => ({ kind: "absent", path: `/path${at}` }) as const),
    inputs: [],
  });
  const one = new EntryTable(budget);
  const two = new EntryTable(budget);
  one.resolve(job(4));
  two.resolve(job(3));
  assert.throws(() => two.resolve(job(1, 3)), /no room for more file names/);
  assert.throws(() => one.resolve(job(1, 4)), /no room for more file names/);
  assert.equal(two.count, 3);
  one.release();
  one.release();
  two.resolve(job(4, 3));
  two.release();
  assert.equal(budget.usedBytes, 0);
});

test("a file with new contents is told apart from a new file, however long ago it was numbered", () => {
  for (const maxRecent of [undefined, 1]) {
    const numbering = new EntryNumbering(maxRecent);
    const editedOf = (inputs: readonly InputEntry[]): string[] => {
      let paths: string[] = [];
      numbering.encode(
        inputs,
        () => [],
        (_, edited) => {
          paths = edited.map(({ path }) => path);
        },
      );
      return paths;
    };
    assert.deepEqual(editedOf([file("/a.h", "a"), file("/b.h", "b"), { kind: "directory", path: "/c" }]), []);
    assert.deepEqual(editedOf([file("/a.h", "a2"), file("/b.h", "b"), file("/d.h", "d")]), ["/a.h"]);
    // The server has these contents.
    assert.deepEqual(editedOf([file("/a.h", "a")]), []);
  }
});
