import { appendFile } from "node:fs/promises";
import type { OutcomeName } from "@homcc/observability/outcomes";

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
  /** Executor of the server; empty for local runs. */
  readonly executor: string;
}

/** Appends to the log the job asked for; a log that cannot be written never disturbs a build. */
export async function writeJobRecord(
  environment: Readonly<Record<string, string>>,
  record: JobRecord,
): Promise<void> {
  const file = environment["HOMCC_JOB_LOG"];
  if (file === undefined || !file.startsWith("/")) return;
  // One write of a short line with O_APPEND is atomic, so that records of parallel jobs never mix.
  await appendFile(file, `${JSON.stringify(record)}\n`).catch(() => {});
}
