/**
 * What tests of faults, malformed input, hostile requests and load report, for the tables of docs/reliability.md.
 *
 * A test records after its assertions: what did not hold fails there, and a run with a failure writes no table. Without
 * the variable, as in `npm test`, nothing is kept. Several records of one name in one file add up.
 */
import { appendFileSync } from "node:fs";
import { relative } from "node:path";
import { repository } from "./repository.ts";

/** Names the file to which each record is appended as a line of JSON: `npm run reliability` sets it. */
export const recordsVariable = "HOMCC_RELIABILITY_LOG";

/** How often each happened; for load what was measured. */
export type Figures = Readonly<Record<string, string | number>>;

export const sections = ["faults", "malformed inputs", "hostile requests", "load"] as const;
export type Section = (typeof sections)[number];

export interface ReliabilityRecord {
  readonly section: Section;
  /** What was tried, as a sentence or a name that a user understands. */
  readonly name: string;
  /** The test file, relative to the repository. */
  readonly file: string;
  readonly figures: Figures;
}

/**
 * @param fault what happened: "the server is killed while a job is compiled".
 * @param counts `tried` faults, how many of them the build `survived` with the right objects, and `lostJobs`: compiles
 *   that failed for it, or whose user had to do something.
 */
export function recordFault(
  fault: string,
  counts: { readonly tried: number; readonly survived: number; readonly lostJobs: number },
): void {
  atMost(fault, counts.survived, counts.tried);
  record("faults", fault, counts);
}

/** `tried` faults, all of them survived, and no compile lost: what most tests have shown when they reach their end. */
export function recordSurvived(fault: string, tried = 1): void {
  recordFault(fault, { tried, survived: tried, lostJobs: 0 });
}

/** @param target what read the input: "frames", "a hosts file". */
export function recordMalformedInput(
  target: string,
  counts: { readonly tried: number; readonly crashes: number },
): void {
  atMost(target, counts.crashes, counts.tried);
  record("malformed inputs", target, counts);
}

/** @param kind what a client asked for: "an output outside the job's folder". */
export function recordHostileRequest(
  kind: string,
  counts: { readonly tried: number; readonly refused: number },
): void {
  atMost(kind, counts.refused, counts.tried);
  record("hostile requests", kind, counts);
}

/** @param what was done: "50 clients at once". @param figures by what they are, units included: `{ "jobs/s": 410 }`. */
export function recordLoad(what: string, figures: Figures): void {
  record("load", what, figures);
}

function atMost(name: string, part: number, tried: number): void {
  if (part > tried) throw new Error(`${name}: ${part} of ${tried}`);
}

function record(section: Section, name: string, figures: Figures): void {
  if (name.trim() === "" || /[\n|]/.test(name))
    throw new Error(`not a name for a row: ${JSON.stringify(name)}`);
  for (const [key, figure] of Object.entries(figures)) {
    if (typeof figure === "number" && !(Number.isFinite(figure) && figure >= 0))
      throw new Error(`${name}: ${key} is ${figure}`);
    if (section !== "load" && !Number.isInteger(figure)) throw new Error(`${name}: ${key} is no count`);
  }
  const log = process.env[recordsVariable];
  if (log === undefined || log === "") return;
  const file = relative(repository, process.argv[1] ?? "");
  const line: ReliabilityRecord = { section, name, file, figures };
  appendFileSync(log, `${JSON.stringify(line)}\n`);
}
