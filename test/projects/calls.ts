import type { JobRecord } from "@homcc/homcc/records/job-log";
import { type OutcomeName, outcomes } from "@homcc/observability/outcomes";

export interface CallCounts {
  /** Calls that compile something for the project. */
  readonly compiles: number;
  readonly remote: number;
  /** Compiles that ran at home, by outcome and detail. */
  readonly local: ReadonlyMap<string, number>;
  /** Links, version queries, tests of a configure script, assembler sources: by outcome. */
  readonly others: ReadonlyMap<string, number>;
}

/** What is no compile of the project. */
const otherOutcomes: ReadonlySet<OutcomeName> = new Set([
  "no-compilation",
  "linking-only",
  "configure-check",
]);

/** Assembler sources stay at home by the option table, and nothing compiles them. */
function isOther({ outcome, detail }: JobRecord): boolean {
  return otherOutcomes.has(outcome) || (outcome === "unsupported-language" && detail.endsWith(": assembler"));
}

export function countCalls(jobs: readonly JobRecord[]): CallCounts {
  const compiles = jobs.filter((job) => !isOther(job));
  const isRemote = ({ outcome }: JobRecord): boolean => outcomes[outcome].kind === "remote";
  return {
    compiles: compiles.length,
    remote: compiles.filter(isRemote).length,
    local: tally(
      compiles.filter((job) => !isRemote(job)).map((job) => `${job.outcome}: ${job.detail} (${job.source})`),
    ),
    others: tally(jobs.filter(isOther).map(({ outcome }) => outcome)),
  };
}

function tally(texts: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return counts;
}
