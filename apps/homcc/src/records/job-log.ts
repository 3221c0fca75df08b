import { constants } from "node:fs";
import { appendFile } from "node:fs/promises";
import { type OutcomeName, outcomes } from "@homcc/observability/outcomes";

/** One finished call, as written to the file named by HOMCC_JOB_LOG: one JSON object a line. */
export interface JobRecord {
  /** ISO time of the end. */
  readonly time: string;
  /** The launcher's process. */
  readonly pid: number;
  /** Source files as written in the command; empty when nothing was to be compiled. */
  readonly source: string;
  readonly outcome: OutcomeName;
  /** `name:port` of the server, or `localhost`. */
  readonly host: string;
  readonly detail: string;
  /** Payload bytes of this job's frames, after compression. */
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly wallMs: number;
  /** What the compiler took on the server; 0 for local runs. */
  readonly compileMs: number;
  /** Executor of the server; empty for local runs. */
  readonly executor: string;
}

/** The job's line in the agent's log. */
export function describeJob({ source, outcome, host, detail, wallMs }: JobRecord): string {
  const { number, label } = outcomes[outcome];
  const why = detail === "" ? "" : `: ${detail}`;
  return `${source === "" ? "(no source)" : source}: ${label} (${number}) on ${host}, ${wallMs} ms${why}`;
}

/** Without O_NONBLOCK a pipe that nobody reads would hold a thread of the agent for ever. */
const appendFlags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK;

/** Appends to the log the job asked for; a log that cannot be written never disturbs a build. */
export async function writeJobRecord(
  environment: Readonly<Record<string, string>>,
  record: JobRecord,
): Promise<void> {
  const file = environment["HOMCC_JOB_LOG"];
  if (file === undefined || !file.startsWith("/")) return;
  // One write of a short line with O_APPEND is atomic, so that records of parallel jobs never mix.
  await appendFile(file, `${JSON.stringify(record)}\n`, { flag: appendFlags }).catch(() => {});
}
