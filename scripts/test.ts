/**
 * `npm test`: installs what the tests need where it may, runs them, and says briefly what failed, what was skipped and
 * how much of each package the unit tests cover.
 *
 *     node scripts/test.ts [--all] [--verbose] [PART OF A PATH…]
 *
 * `--all` adds the slow suites (`*.slow.test.ts`). With `CI` set a skipped test is a failure.
 */
import { globSync } from "node:fs";
import { join } from "node:path";
import { underContinuousIntegration } from "./continuous-integration.ts";
import { installDebianPackages, prepareTestTrees } from "./debian-packages.ts";
import { runTestFiles, slowTestTimeoutMs, testTimeoutMs } from "./run-test-files.ts";
import { TestReport } from "./test-report.ts";

const root = join(import.meta.dirname, "..");
const unitTests = [
  "packages/*/src/**/*.test.ts",
  "apps/*/src/**/*.test.ts",
  "scripts/**/*.test.ts",
  "packaging/**/*.test.ts",
  "benchmarks/**/*.test.ts",
];
const systemTests = ["test/conformance/**/*.test.ts", "test/fuzz/**/*.test.ts", "test/e2e/**/*.test.ts"];
const slowTests = ["test/**/*.slow.test.ts"];

const options = process.argv.slice(2).filter((word) => word.startsWith("--"));
const filters = process.argv.slice(2).filter((word) => !word.startsWith("--"));
const unknown = options.find((option) => option !== "--all" && option !== "--verbose");
if (unknown !== undefined) throw new Error(`unknown option ${unknown}`);

await installDebianPackages(process.env);
await prepareTestTrees(find(systemTests), process.env);
const report = new TestReport(root, options.includes("--verbose"));
await runTestFiles(find(unitTests), report, {
  root,
  coverage: filters.length === 0,
  timeoutMs: testTimeoutMs,
});
await runTestFiles(find(systemTests), report, { root, coverage: false, timeoutMs: testTimeoutMs });
if (options.includes("--all"))
  await runTestFiles(find(slowTests, true), report, { root, coverage: false, timeoutMs: slowTestTimeoutMs });

process.exitCode = report.finish({ skipsAllowed: !underContinuousIntegration(process.env) }) ? 0 : 1;

function find(patterns: readonly string[], slow = false): string[] {
  return globSync([...patterns], { cwd: root })
    .filter((path) => path.endsWith(".slow.test.ts") === slow)
    .filter((path) => filters.length === 0 || filters.some((filter) => path.includes(filter)))
    .sort()
    .map((path) => join(root, path));
}
