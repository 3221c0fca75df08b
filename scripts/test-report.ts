import { relative } from "node:path";
import type { run } from "node:test";
import { inspect } from "node:util";

type TestEvent = ReturnType<typeof run> extends AsyncIterable<infer E> ? E : never;
type EventOf<K extends TestEvent["type"]> = Extract<TestEvent, { type: K }>["data"];

interface Failure {
  readonly name: string;
  readonly file: string;
  readonly error: string;
}

interface Skip {
  readonly name: string;
  readonly file: string;
  readonly reason: string;
}

/** What is printed of a test run: one line a file, failures as they come, and at the end the sums. */
export class TestReport {
  readonly #root: string;
  readonly #verbose: boolean;
  readonly #counts = { tests: 0, suites: 0, pass: 0, fail: 0, cancelled: 0, skipped: 0, todo: 0 };
  readonly #failures: Failure[] = [];
  readonly #skips: Skip[] = [];
  readonly #startMs = performance.now();
  /** What each file printed as errors. */
  readonly #stderr = new Map<string, string>();
  #coverage: string[] = [];
  #succeeded = true;

  constructor(root: string, verbose: boolean) {
    this.#root = root;
    this.#verbose = verbose;
  }

  take(event: TestEvent): void {
    switch (event.type) {
      case "test:pass":
        this.#takePass(event.data);
        break;
      case "test:fail":
        this.#takeFailure(event.data);
        break;
      case "test:stderr":
        this.#stderr.set(event.data.file, (this.#stderr.get(event.data.file) ?? "") + event.data.message);
        break;
      case "test:stdout":
        if (this.#verbose) process.stdout.write(event.data.message);
        break;
      case "test:summary":
        this.#takeSummary(event.data);
        break;
      case "test:coverage":
        this.#coverage = describeCoverage(event.data, this.#root);
        break;
      default:
        break;
    }
  }

  #takePass(data: EventOf<"test:pass">): void {
    const file = this.#short(data.file);
    if (data.skip !== undefined && data.skip !== false) {
      this.#skips.push({ name: data.name, file, reason: data.skip === true ? "no reason given" : data.skip });
    }
    if (this.#verbose)
      console.log(`  pass ${file}: ${data.name} (${Math.round(data.details.duration_ms)} ms)`);
  }

  #takeFailure(data: EventOf<"test:fail">): void {
    const { error } = data.details;
    const cause: unknown = error.cause ?? error;
    // A parent fails because of its children, which have been reported.
    if ("failureType" in error && error.failureType === "subtestsFailed") return;
    const file = this.#short(data.file);
    // Of a file that could not even be loaded, only its process knows why.
    const printed = data.name === data.file ? `\n${this.#stderr.get(data.file) ?? ""}` : "";
    const text = cause instanceof Error ? (cause.stack ?? cause.message) : inspect(cause);
    this.#failures.push({ name: data.name, file, error: text + printed });
    console.log(`FAIL ${file}: ${data.name}\n${indent(text + printed)}`);
  }

  #takeSummary(data: EventOf<"test:summary">): void {
    if (data.file === undefined) {
      const { tests, suites, passed, failed, cancelled, skipped, todo } = data.counts;
      const sums = { tests, suites, pass: passed, fail: failed ?? 0, cancelled, skipped, todo };
      for (const key of ["tests", "suites", "pass", "fail", "cancelled", "skipped", "todo"] as const) {
        this.#counts[key] += sums[key];
      }
      this.#succeeded &&= data.success;
      return;
    }
    const { passed, tests, skipped } = data.counts;
    const skips = skipped === 0 ? "" : `, ${skipped} skipped`;
    console.log(
      `${data.success ? "ok  " : "FAIL"} ${this.#short(data.file)}: ${passed} of ${tests}${skips}, ${seconds(data.duration_ms)}`,
    );
  }

  /** Prints the end of the report. @returns whether the run counts as a success. */
  finish({ skipsAllowed }: { readonly skipsAllowed: boolean }): boolean {
    if (this.#coverage.length > 0)
      console.log(`\nLines covered by unit tests:\n${this.#coverage.join("\n")}`);
    if (this.#skips.length > 0) {
      const lines = this.#skips.map(({ file, name, reason }) => `  ${file}: ${name}: ${reason}`);
      console.log(`\nSkipped${skipsAllowed ? "" : ", which is a failure with CI set"}:\n${lines.join("\n")}`);
    }
    if (this.#failures.length > 0) {
      console.log(`\nFailed:\n${this.#failures.map(({ file, name }) => `  ${file}: ${name}`).join("\n")}`);
    }
    console.log("");
    for (const [name, count] of Object.entries(this.#counts)) console.log(`# ${name} ${count}`);
    console.log(`# duration_ms ${Math.round(performance.now() - this.#startMs)}`);
    return this.#succeeded && this.#failures.length === 0 && (skipsAllowed || this.#skips.length === 0);
  }

  #short(file: string | undefined): string {
    return file === undefined ? "?" : relative(this.#root, file);
  }
}

/** One line a package: `packages/cas 93 %`. */
function describeCoverage(data: EventOf<"test:coverage">, root: string): string[] {
  const packages = new Map<string, { total: number; covered: number }>();
  for (const { path, totalLineCount, coveredLineCount } of data.summary.files) {
    const name = relative(root, path).split("/").slice(0, 2).join("/");
    const lines = packages.get(name) ?? { total: 0, covered: 0 };
    lines.total += totalLineCount;
    lines.covered += coveredLineCount;
    packages.set(name, lines);
  }
  return [...packages]
    .sort(([left], [right]) => left.localeCompare(right))
    .map(([name, { total, covered }]) => `  ${name.padEnd(28)} ${Math.round((100 * covered) / total)} %`);
}

function indent(text: string): string {
  return text.trimEnd().replaceAll(/^/gm, "    ");
}

function seconds(durationMs: number): string {
  return `${(durationMs / 1000).toFixed(1)} s`;
}
