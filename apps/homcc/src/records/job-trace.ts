import type { Action } from "@homcc/cas/action";
import { type JobMonitor, unmonitored } from "./monitor-line.ts";
import { Phases } from "./phases.ts";

/** What is known of one call besides its conclusion: for its record, its line in the log, and HOMCC_DEBUG_DIR. */
export class JobTrace {
  /** Source files as written in the command; empty when nothing was to be compiled. */
  readonly sources: string[] = [];
  /** What was meant to be sent, by source. */
  readonly actions = new Map<string, Action>();
  readonly phases = new Phases();
  /** What the ledger calls the compilations that were prepared for servers. */
  readonly ledgerKeys: string[] = [];
  /** Held from the decision to compile here until the job waits for a local slot. */
  readonly homePromises = new DisposableStack();
  readonly monitor: JobMonitor;

  constructor(monitor: JobMonitor = unmonitored) {
    this.monitor = monitor;
  }
}
