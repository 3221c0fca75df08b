import type { DeclaredOutput } from "@homcc/cas/action";
import type { ProducedOutput } from "../remote/produced-output.ts";

/** What `local-run-program.ts` is to do, as JSON in a file. */
export interface LocalRunJob {
  /** Absolute, with the words that it gets, its own name first. */
  readonly program: string;
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly umask: number;
  readonly outputs: readonly DeclaredOutput[];
  /**
   * Folders that catch what is written, and those they stand for. With them the outputs are first brought to the state in which the
   * job found them; without, the compiler runs in place.
   */
  readonly layers: readonly { readonly upper: string; readonly folder: string }[];
  /** Gets copies of what was written, and the report. */
  readonly resultFolder: string;
  readonly timeLimitMs: number;
}

/** What came of it, as JSON in `report.json` of the result folder; `stdout` and `stderr` are files beside it. */
export interface LocalRunReport {
  readonly status: number | undefined;
  readonly produced: readonly ProducedOutput[];
  readonly undeclared: readonly string[];
}

export const reportName = "report.json";
