import type { Analysis } from "@homcc/compiler/compilation";
import type { ScanComparison } from "@homcc/inputs/include-finder";
import { listRows, localRows, row } from "./explain-print.ts";

/** Whether no file is missing: one that was not scanned is listed by its compiler. */
export function isComplete(comparison: ScanComparison): boolean {
  if (comparison.kind === "compared") return comparison.missing.length === 0;
  return comparison.kind === "not-scanned";
}

/** Text of `--verify-scan`; `comparisons`: one per compilation, in the order of the analysis. */
export function renderScanComparison(analysis: Analysis, comparisons: readonly ScanComparison[]): string {
  const rows =
    analysis.verdict === "local"
      ? localRows(analysis)
      : analysis.compilations.flatMap(({ source, language }, index) => {
          const comparison = comparisons[index];
          const head = row("source", `${source} (${language})`);
          return comparison === undefined ? head : [head, ...comparisonRows(comparison)];
        });
  return rows.map((line) => `${line}\n`).join("");
}

function comparisonRows(comparison: ScanComparison): string[] {
  switch (comparison.kind) {
    case "not-scanned":
      return [row("scanned", "no, the compiler is asked"), row("reason", comparison.reason)];
    case "not-listed":
      return [row("scanned", "yes"), row("missing", "unknown: the compiler gives no list")];
    case "compared":
      return [
        row("scanned", `${comparison.files} files`),
        ...listRows("missing", comparison.missing),
        ...listRows("extra", comparison.extra),
      ];
  }
}
