import { type Outcome, type OutcomeName, outcomes } from "@homcc/observability/outcomes";
import type { AuditVerdict } from "../audit/audit.ts";
import type { JobRecord } from "./job-log.ts";

/** What was counted of one outcome. */
export interface OutcomeTally {
  readonly count: number;
  /** From the launcher's request to its end, waiting included. */
  readonly wallMs: number;
  /** How often each detail came, where details are few: options, variables, constructs. */
  readonly details: Readonly<Record<string, number>>;
}

/** Counts of the jobs of one user since a point in time. */
export interface Tally {
  /** Milliseconds since the epoch. */
  readonly sinceMs: number;
  readonly outcomes: Readonly<Partial<Record<OutcomeName, OutcomeTally>>>;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** What the compilers took on servers: the time that was not spent at home. */
  readonly compileMs: number;
  /** How often a compiler read a file that the include scanner had not found. */
  readonly incompleteScans: number;
  /** Compiles that were repeated here and compared, by what came of it. */
  readonly audits: Readonly<Record<AuditVerdict["kind"], number>>;
}

/** Details of this outcome say why no earlier result served; files are many, reasons few. */
const reasoned: OutcomeName = "compiled-remotely";
/** Outcomes whose details are words of a small vocabulary; the others' are file names and messages. */
const detailed: ReadonlySet<OutcomeName> = new Set([
  reasoned,
  "local-option",
  "unknown-option",
  "local-environment",
  "local-construct",
  "unsupported-language",
]);
/** Keeps the file small whatever is built: further details of an outcome are counted together. */
const maxDetails = 30;
const maxDetailLength = 60;
const otherDetails = "…";

const nothing: OutcomeTally = { count: 0, wallMs: 0, details: {} };

const noAudits: Tally["audits"] = { identical: 0, different: 0, void: 0, impossible: 0 };

export function emptyTally(sinceMs: number): Tally {
  return {
    sinceMs,
    outcomes: {},
    sentBytes: 0,
    receivedBytes: 0,
    compileMs: 0,
    incompleteScans: 0,
    audits: noAudits,
  };
}

export function tallyOf(record: JobRecord, sinceMs: number): Tally {
  const { outcome, detail, wallMs, sentBytes, receivedBytes, compileMs } = record;
  const words = outcome === reasoned ? detail.replace(/^\/\S+/, "a file") : detail;
  const details = detailed.has(outcome) && words !== "" ? { [words.slice(0, maxDetailLength)]: 1 } : {};
  return {
    sinceMs,
    outcomes: { [outcome]: { count: 1, wallMs, details } },
    sentBytes,
    receivedBytes,
    compileMs,
    incompleteScans: 0,
    audits: noAudits,
  };
}

/** Both together, since the earlier of their beginnings. */
export function addTallies(one: Tally, other: Tally): Tally {
  return {
    sinceMs: Math.min(one.sinceMs, other.sinceMs),
    outcomes: addOutcomes(one.outcomes, other.outcomes),
    sentBytes: one.sentBytes + other.sentBytes,
    receivedBytes: one.receivedBytes + other.receivedBytes,
    compileMs: one.compileMs + other.compileMs,
    incompleteScans: one.incompleteScans + other.incompleteScans,
    audits: {
      identical: one.audits.identical + other.audits.identical,
      different: one.audits.different + other.audits.different,
      void: one.audits.void + other.audits.void,
      impossible: one.audits.impossible + other.audits.impossible,
    },
  };
}

function addOutcomes(one: Tally["outcomes"], other: Tally["outcomes"]): Tally["outcomes"] {
  const sums: Partial<Record<OutcomeName, OutcomeTally>> = {};
  for (const name of outcomeNames) {
    const [left, right] = [one[name], other[name]];
    if (left === undefined && right === undefined) continue;
    const [a, b] = [left ?? nothing, right ?? nothing];
    sums[name] = {
      count: a.count + b.count,
      wallMs: a.wallMs + b.wallMs,
      details: addDetails(a.details, b.details),
    };
  }
  return sums;
}

function addDetails(one: OutcomeTally["details"], other: OutcomeTally["details"]): Record<string, number> {
  const sums = new Map(Object.entries(one));
  for (const [detail, count] of Object.entries(other)) {
    const key = sums.has(detail) || sums.size < maxDetails ? detail : otherDetails;
    sums.set(key, (sums.get(key) ?? 0) + count);
  }
  return Object.fromEntries(sums);
}

/** In the order of the table, which is that of the numbers. */
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys of the table are its names
export const outcomeNames = Object.keys(outcomes) as readonly OutcomeName[];

/** How many jobs went where. Calls that compile nothing are apart: links would pass for compiles that stayed at home. */
export interface TallySums {
  readonly compiles: number;
  readonly remote: number;
  readonly local: number;
  readonly fallback: number;
  readonly otherCalls: number;
}

export function sumsOf(tally: Tally): TallySums {
  const sums = { remote: 0, local: 0, fallback: 0, otherCalls: 0 };
  for (const name of outcomeNames) {
    const { kind, isNoCompile }: Outcome = outcomes[name];
    sums[isNoCompile === true ? "otherCalls" : kind] += tally.outcomes[name]?.count ?? 0;
  }
  return { compiles: sums.remote + sums.local + sums.fallback, ...sums };
}
