import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createFacts, MemoryFiles } from "./memory-files.fixture.ts";
import { Scanner, type ScannerOptions } from "./scanner.ts";
import type { SourceRecord } from "./source-files.ts";

const headers = 1000;
const units = 400;

/** Each header includes two others, each source ten of which most of a thousand follow. */
function project(): MemoryFiles {
  const files = new MemoryFiles();
  const name = (number: number): string => `d${number % 20}/h${number}.h`;
  for (let number = 0; number < headers; number += 1) {
    const included = number < 3 ? [] : [Math.floor(number / 2), Math.floor(number / 3)];
    const includes = included.map((other) => `#include "${name(other)}"\n`).join("");
    files.write(
      `/p/${name(number)}`,
      `#ifndef H${number}\n#define H${number} 1\n${includes}#if H${number} > 1\n#define M${number}(x) ((x) + ${number})\n#endif\n#endif\n`,
    );
  }
  for (let number = 0; number < units; number += 1) {
    const own = Array.from({ length: 10 }, (_, index) => name((number * 7 + index * 997) % headers));
    files.write(`/p/s${number}.c`, own.map((other) => `#include "${other}"\n`).join(""));
  }
  files.wait(60_000);
  return files;
}

/** Scans all; the number of files of each, and the most that was kept after any. */
async function scanAll(scanner: Scanner<SourceRecord>): Promise<{ counts: number[]; maxBytes: number }> {
  const facts = createFacts();
  const counts: number[] = [];
  let maxBytes = 0;
  for (let number = 0; number < units; number += 1) {
    const { files } = await scanner.scan({
      arrival: scanner.arrive(),
      order: { family: "gcc", cwd: "/p", quote: [], angle: ["/p"], embed: [] },
      facts,
      roots: { macros: Buffer.from(""), macroFiles: [], includes: [], preinclude: false },
      source: `/p/s${number}.c`,
      modules: false,
      key: "",
      lookAround: () => undefined,
      signal: new AbortController().signal,
    });
    counts.push(files.length);
    maxBytes = Math.max(maxBytes, scanner.bytes);
  }
  return { counts, maxBytes };
}

function heapBytes(): number {
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  assert.ok(typeof collect === "function");
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

test("what the scanner says it keeps is what the heap says", async () => {
  const files = project();
  await scanAll(new Scanner<SourceRecord>(files));
  const before = heapBytes();
  const scanner = new Scanner<SourceRecord>(files);
  await scanAll(scanner);
  const kept = heapBytes() - before;
  const share = scanner.bytes / kept;
  assert.ok(share > 0.75 && share < 1.5, `${scanner.bytes} of ${kept}: ${share}`);
});

test("what all of it keeps is bounded, and forgetting changes no result", async () => {
  const files = project();
  const { counts, maxBytes } = await scanAll(new Scanner<SourceRecord>(files));
  const options: ScannerOptions = { maxBytes: maxBytes / 3 };
  const bounded = await scanAll(new Scanner<SourceRecord>(files, options));
  assert.deepEqual(bounded.counts, counts);
  // One unit more than fits.
  assert.ok(bounded.maxBytes < maxBytes / 2, `${bounded.maxBytes} of ${maxBytes}`);
  const shared = await scanAll(
    new Scanner<SourceRecord>(files, { maxBytes, elsewhereBytes: () => maxBytes }),
  );
  assert.deepEqual(shared.counts, counts);
  assert.ok(shared.maxBytes < 0.65 * maxBytes, `${shared.maxBytes} of ${maxBytes}`);
});
