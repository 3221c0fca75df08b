import type { Clock } from "@homcc/observability/clock";
import { describeError } from "@homcc/observability/error";
import type { Logger } from "@homcc/observability/log";
import type { AuditVerdict } from "../audit/audit.ts";
import type { JobRecord } from "./job-log.ts";
import { addTallies, emptyTally, type Tally, tallyOf } from "./tally.ts";
import { addToTallyFile, readTally, writeTally } from "./tally-file.ts";

/** A job that ends is in the file that much later: kill -9 loses no more, and a build writes it twelve times a minute. */
const saveDelayMs = 5_000;

/** Counts the outcomes of an agent's jobs, over its restarts. Nothing runs while no job has ended. */
export class JobStatistics {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #logger: Logger;
  /** Not in the file yet. */
  #unsaved: Tally | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(path: string, clock: Clock, logger: Logger) {
    this.#path = path;
    this.#clock = clock;
    this.#logger = logger;
  }

  count(record: JobRecord): void {
    this.#add(tallyOf(record, this.#clock.wallMs()));
  }

  countIncompleteScan(): void {
    this.#add({ ...emptyTally(this.#clock.wallMs()), incompleteScans: 1 });
  }

  countAudit(kind: AuditVerdict["kind"]): void {
    const tally = emptyTally(this.#clock.wallMs());
    this.#add({ ...tally, audits: { ...tally.audits, [kind]: 1 } });
  }

  #add(one: Tally): void {
    this.#unsaved = this.#unsaved === undefined ? one : addTallies(this.#unsaved, one);
    // It must not keep an agent that ends from ending: `save` is called then.
    this.#timer ??= setTimeout(() => this.save(), saveDelayMs).unref();
  }

  /** Everything since the last `zero`. */
  read(): Tally {
    this.save();
    return readTally(this.#path) ?? this.#unsaved ?? emptyTally(this.#clock.wallMs());
  }

  /** Begins to count anew; gives what was counted until now. */
  zero(): Tally {
    const tally = this.read();
    this.#unsaved = undefined;
    this.#attempt(() => writeTally(this.#path, emptyTally(this.#clock.wallMs())));
    return tally;
  }

  save(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const unsaved = this.#unsaved;
    if (unsaved === undefined) return;
    this.#attempt(() => {
      addToTallyFile(this.#path, unsaved, this.#logger);
      this.#unsaved = undefined;
    });
  }

  /** A full disk or a folder without permission: counts are not worth a build. */
  #attempt(write: () => void): void {
    try {
      write();
    } catch (error) {
      this.#logger.warning(`${this.#path}: ${describeError(error)}`);
    }
  }
}
