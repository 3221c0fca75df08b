import { availableParallelism } from "node:os";
import { run } from "node:test";
import type { TestReport } from "./test-report.ts";

/** A single test: compiles of a few seconds on a loaded machine. Slow suites build whole projects. */
export const testTimeoutMs = 120_000;
export const slowTestTimeoutMs = 3_600_000;
/** Nothing at all was reported for so long: a file whose tests are over does not end. */
const stallTimeoutMs = 180_000;

export interface RunSettings {
  readonly root: string;
  readonly coverage: boolean;
  readonly timeoutMs: number;
}

/** Runs test files, each in a process of its own, and gives what they say to `report`. */
export async function runTestFiles(
  files: readonly string[],
  report: TestReport,
  { root, coverage, timeoutMs }: RunSettings,
): Promise<void> {
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
