import assert from "node:assert/strict";
import { test } from "node:test";
import type { Analysis, Compilation } from "@homcc/compiler/compilation";
import type { ScanComparison } from "@homcc/inputs/include-finder";
import { isComplete, renderScanComparison } from "./verify-scan-print.ts";

const compilation: Compilation = {
  argv: ["g++", "-c", "a.cpp"],
  source: "a.cpp",
  language: "c++",
  outputs: ["a.o"],
  mainOutput: "a.o",
  discoveryArguments: [],
  includeDirectories: [],
  forcedIncludes: [],
  extraInputs: [],
  replay: false,
  mappedVeto: undefined,
};
const analysis: Analysis = { verdict: "distribute", compilations: [compilation] };

test("what differs is listed", () => {
  const comparison: ScanComparison = {
    kind: "compared",
    files: 3,
    missing: ["/p/a.h", "/p/b.h"],
    extra: [],
  };
  assert.equal(
    renderScanComparison(analysis, [comparison]),
    `source     a.cpp (c++)
scanned    3 files
missing    /p/a.h
           /p/b.h
extra      none
`,
  );
  assert.equal(isComplete(comparison), false);
  assert.equal(isComplete({ ...comparison, missing: [], extra: ["/p/c.h"] }), true);
});

test("so is why there is nothing to compare", () => {
  const refused = { kind: "not-scanned", reason: "condition: __LINE__" } as const;
  assert.equal(
    renderScanComparison(analysis, [refused]),
    `source     a.cpp (c++)
scanned    no, the compiler is asked
reason     condition: __LINE__
`,
  );
  assert.equal(isComplete(refused), true);
  assert.match(renderScanComparison(analysis, [{ kind: "not-listed" }]), /missing +unknown/);
  assert.equal(isComplete({ kind: "not-listed" }), false);
  const local = { verdict: "local", outcome: "local-option", detail: "-E", silent: false } as const;
  assert.match(renderScanComparison(local, []), /^verdict +local\nreason .*-E/);
});
