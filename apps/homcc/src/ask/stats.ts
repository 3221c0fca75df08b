import { type Outcome, type OutcomeName, outcomes } from "@homcc/observability/outcomes";
import type { Shown } from "../show.ts";
import { emptyTally, outcomeNames, sumsOf, type Tally, type TallySums } from "../records/tally.ts";
import { readTally, tallyFilePath, writeTally } from "../records/tally-file.ts";
import { absenceText, askOwnAgent } from "./asked-agent.ts";
import { renderStats } from "./stats-print.ts";

/** `homcc stats --json`. */
export interface StatsReport {
  /** ISO time from which on jobs are counted. */
  readonly since: string;
  /** Empty, or why no agent answered: the numbers are then those that the last one left. */
  readonly note: string;
  readonly totals: TallySums;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** From the launchers' requests to their ends, added up over jobs that ran side by side. */
  readonly seconds: { readonly remote: number; readonly local: number };
  /** What the compilers took on servers: time that was not spent at home. */
  readonly compileSecondsOnServers: number;
  /** How often a compiler read a file that the include scanner had not found. */
  readonly incompleteScans: number;
  /** Compiles that were repeated here and compared. */
  readonly audits: Tally["audits"];
  /** Those that occurred, by number. */
  readonly outcomes: readonly {
    readonly number: number;
    readonly name: OutcomeName;
    readonly label: string;
    readonly kind: Outcome["kind"];
    readonly count: number;
    readonly seconds: number;
    /** How often each option, variable or construct was the reason. */
    readonly details: Readonly<Record<string, number>>;
  }[];
}

/** `homcc stats`: what the agents of this user counted; with `zero` counting begins anew. Starts no agent. */
export async function showStats(
  json: boolean,
  zero: boolean,
  environment: Readonly<Record<string, string>>,
): Promise<Shown> {
  const { agent, paths } = await askOwnAgent(zero ? "zero-stats" : "stats", environment);
  const report =
    agent.kind === "answered"
      ? reportOf(parseTally(agent.text), "")
      : reportOf(leftTally(environment, zero), absenceText(agent.kind, paths));
  const stdout = json ? `${JSON.stringify(report, undefined, 2)}\n` : renderStats(report, zero);
  return { status: 0, stdout, stderr: "" };
}

/** Written by an agent of the same build: its identity was compared. */
function parseTally(text: string): Tally {
  const tally: Tally = JSON.parse(text);
  return tally;
}

function leftTally(environment: Readonly<Record<string, string>>, zero: boolean): Tally {
  const path = tallyFilePath(environment);
  const tally = readTally(path) ?? emptyTally(Date.now());
  if (zero) writeTally(path, emptyTally(Date.now()));
  return tally;
}

function reportOf(tally: Tally, note: string): StatsReport {
  const occurred = outcomeNames.flatMap((name) => {
    const counted = tally.outcomes[name];
    if (counted === undefined || counted.count === 0) return [];
    const { number, label, kind }: Outcome = outcomes[name];
    const { count, wallMs, details } = counted;
    return [{ number, name, label, kind, count, seconds: secondsOf(wallMs), details }];
  });
  const sumOf = (isRemote: boolean): number =>
    occurred
      .filter(({ kind }) => (kind === "remote") === isRemote)
      .reduce((sum, { seconds }) => sum + seconds, 0);
  return {
    since: new Date(tally.sinceMs).toISOString(),
    note,
    totals: sumsOf(tally),
    sentBytes: tally.sentBytes,
    receivedBytes: tally.receivedBytes,
    seconds: { remote: secondsOf(sumOf(true) * 1000), local: secondsOf(sumOf(false) * 1000) },
    compileSecondsOnServers: secondsOf(tally.compileMs),
    incompleteScans: tally.incompleteScans,
    audits: tally.audits,
    outcomes: occurred.toSorted((one, other) => one.number - other.number),
  };
}

function secondsOf(ms: number): number {
  return Math.round(ms) / 1000;
}
