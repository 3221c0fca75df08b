/**
 * `npm run reliability`: runs the tests that record what they tried, the slow ones too, and writes
 * docs/reliability.json and the tables of docs/reliability.md.
 *
 *     node scripts/reliability.ts [--quick] [PART OF A PATH…]
 *
 * `--quick` leaves the slow suites out. The rows of files that did not run stay as they are. Nothing is written when a test
 * failed or was skipped: the rows would be those of a part.
 */
import { existsSync, globSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { recordsVariable } from "../test/support/reliability.ts";
import { installDebianPackages, prepareTestTrees } from "./debian-packages.ts";
import { renderReliabilityDocument } from "./reliability/document.ts";
import { isRecording } from "./reliability/recording-tests.ts";
import { formatRows, mergeRows, parseRecords, parseRows } from "./reliability/results.ts";
import { runTestFiles, slowTestTimeoutMs } from "./run-test-files.ts";
import { TestReport } from "./test-report.ts";

const root = join(import.meta.dirname, "..");
const resultsFile = join(root, "docs/reliability.json");
const documentFile = join(root, "docs/reliability.md");

const options = process.argv.slice(2).filter((word) => word.startsWith("--"));
const filters = process.argv.slice(2).filter((word) => !word.startsWith("--"));
const unknown = options.find((option) => option !== "--quick");
if (unknown !== undefined) throw new Error(`unknown option ${unknown}`);

const files = globSync(["{test,packages,apps}/**/*.test.ts"], { cwd: root, exclude: ["**/node_modules/**"] })
  .filter((path) => isRecording(root, path))
  .filter((path) => !options.includes("--quick") || !path.endsWith(".slow.test.ts"))
  .filter((path) => filters.length === 0 || filters.some((filter) => path.includes(filter)))
  .sort();

await installDebianPackages(process.env);
await prepareTestTrees(files, process.env);
const folder = await mkdtemp(join(tmpdir(), "homcc-reliability-"));
const log = join(folder, "records.ndjson");
process.env[recordsVariable] = log;
const report = new TestReport(root, false);
const paths = files.map((path) => join(root, path));
await runTestFiles(paths, report, { root, coverage: false, timeoutMs: slowTestTimeoutMs });
if (report.finish({ skipsAllowed: false })) {
  const rows = mergeRows(
    parseRows(await readFile(resultsFile, "utf8")),
    parseRecords(await readFile(log, "utf8").catch(() => "")),
    { ran: new Set(files), exists: (file) => existsSync(join(root, file)) },
  );
  await writeFile(resultsFile, formatRows(rows));
  await writeFile(documentFile, renderReliabilityDocument(await readFile(documentFile, "utf8"), rows));
  console.log(`docs/reliability.md has ${rows.length} rows`);
} else {
  console.error("reliability: nothing is written");
  process.exitCode = 1;
}
await rm(folder, { recursive: true });
