import type { Action, ActionResult } from "@homcc/cas/action";

/**
 * A way of running actions. `namespace` gives each job the client's absolute paths over the toolchain's files;
 * `mapped` a private folder and rewritten paths. Others (replay, schroot, docker, a cluster) have the same shape.
 */
export interface Executor {
  readonly name: string;
  /** One per client connection: what the jobs of a client share (namespaces, mirrored inputs) lives in it. */
  openSession(): Promise<ExecutorSession>;
}

export interface ExecutorSession {
  /**
   * Runs the action; every blob of its inputs must be in the store and pinned. Resolves also when the compiler
   * failed; rejects with ERR_HOMCC_EXECUTOR, ERR_HOMCC_REFUSED or ERR_HOMCC_STORE_FULL when it could not be run.
   * Aborting `signal` kills the whole process tree at once and rejects with the signal's reason.
   */
  execute(action: Action, signal: AbortSignal): Promise<ActionResult>;
  /** The folder at which this process can read what lies below a job's own files, where there is one. */
  floor?(): Promise<string | undefined>;
  /** Ends running jobs and frees everything. */
  close(): Promise<void>;
}
