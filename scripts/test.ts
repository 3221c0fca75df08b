/**
 * `npm test`: installs what the tests need where it may, runs them, and says briefly what failed, what was skipped and
 * how much of each package the unit tests cover.
 *
 *     node scripts/test.ts [--all] [--verbose] [PART OF A PATH…]
 *
 * `--all` adds the slow suites (`*.slow.test.ts`). With `CI` set a skipped test is a failure.
 */
import { availableParallelism } from "node:os";
import { globSync } from "node:fs";
import { join } from "node:path";
import { run } from "node:test";
import { underContinuousIntegration } from "./continuous-integration.ts";
import { installDebianPackages, prepareTestTrees } from "./debian-packages.ts";
import { TestReport } from "./test-report.ts";

/** A single test: compiles of a few seconds on a loaded machine. Slow suites build whole projects. */
const testTimeoutMs = 120_000;
const slowTestTimeoutMs = 3_600_000;
/** Nothing at all was reported for so long: a file whose tests are over does not end. */
const stallTimeoutMs = 180_000;

const root = join(import.meta.dirname, "..");
const unitTests = [
  "packages/*/src/**/*.test.ts",
  "apps/*/src/**/*.test.ts",
  "scripts/**/*.test.ts",
  "packaging/**/*.test.ts",
  "benchmarks/**/*.test.ts",
];
const systemTests = ["test/conformance/**/*.test.ts", "test/e2e/**/*.test.ts"];
const slowTests = ["test/**/*.slow.test.ts"];

const options = process.argv.slice(2).filter((word) => word.startsWith("--"));
const filters = process.argv.slice(2).filter((word) => !word.startsWith("--"));
const unknown = options.find((option) => option !== "--all" && option !== "--verbose");
if (unknown !== undefined) throw new Error(`unknown option ${unknown}`);

await installDebianPackages(process.env);
await prepareTestTrees(find(systemTests), process.env);
const report = new TestReport(root, options.includes("--verbose"));
await runFiles(find(unitTests), { coverage: filters.length === 0, timeoutMs: testTimeoutMs });
await runFiles(find(systemTests), { coverage: false, timeoutMs: testTimeoutMs });
if (options.includes("--all"))
  await runFiles(find(slowTests, true), { coverage: false, timeoutMs: slowTestTimeoutMs });

process.exitCode = report.finish({ skipsAllowed: !underContinuousIntegration(process.env) }) ? 0 : 1;

function find(patterns: readonly string[], slow = false): string[] {
  return globSync([...patterns], { cwd: root })
    .filter((path) => path.endsWith(".slow.test.ts") === slow)
    .filter((path) => filters.length === 0 || filters.some((filter) => path.includes(filter)))
    .sort()
    .map((path) => join(root, path));
}

interface RunSettings {
  readonly coverage: boolean;
  readonly timeoutMs: number;
}

async function runFiles(files: readonly string[], { coverage, timeoutMs }: RunSettings): Promise<void> {
  if (files.length === 0) return;
  const stalled = new AbortController();
  const stream = run({
    files,
    cwd: root,
    // Tests of real compilers: more at once only makes them wait for each other.
    concurrency: Math.min(4, availableParallelism()),
    timeout: timeoutMs,
    signal: stalled.signal,
    coverage,
    coverageIncludeGlobs: ["packages/*/src/**", "apps/*/src/**"],
    coverageExcludeGlobs: ["**/*.test.ts"],
  });
  let watch: NodeJS.Timeout | undefined;
  const restartWatch = (): void => {
    clearTimeout(watch);
    watch = setTimeout(() => {
      console.error(`test: nothing happened for ${(timeoutMs + stallTimeoutMs) / 1000} s, giving up`);
      stalled.abort();
    }, timeoutMs + stallTimeoutMs);
  };
  restartWatch();
  for await (const event of stream) {
    restartWatch();
    report.take(event);
  }
  clearTimeout(watch);
}
