import type { OutcomeName } from "@homcc/observability/outcomes";

/** Where a job ran and what it cost on the wire. */
export interface RemoteCost {
  /** `name:port`. */
  readonly host: string;
  readonly executor: string;
  /** Bytes of this job's frames, after compression. */
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** What the compilers took on the servers, all sources together. */
  readonly compileMs: number;
  /** From the server's question for files to the last byte of them. */
  readonly uploadMs: number;
}

/** How the launcher is to end. */
export type Ending =
  | { readonly kind: "exit"; readonly status: number }
  /** The launcher becomes this program; `undefined` is its own command. */
  | {
      readonly kind: "execute";
      readonly command: { readonly program: string; readonly argv: readonly string[] } | undefined;
    };

/** What a call came to: exactly one outcome of the table. */
export interface Conclusion {
  readonly outcome: OutcomeName;
  readonly detail: string;
  /** True for configure checks: autoconf takes any line on stderr as a failed check. */
  readonly silent: boolean;
  readonly ending: Ending;
  readonly cost?: RemoteCost;
  /** Exit status of a remote compiler whose verdict is doubted; the local run's is compared with it. */
  readonly doubtedStatus?: number;
}

/** A job that runs at home as it was called. */
export function atHome(outcome: OutcomeName, detail: string, silent = false): Conclusion {
  return { outcome, detail, silent, ending: { kind: "execute", command: undefined } };
}
