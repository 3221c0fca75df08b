/** Makes tables, plots and the README's measured section anew from benchmarks/results/results.json. */
import { readResults, writeReport } from "./report/write-report.ts";

await writeReport(await readResults());
