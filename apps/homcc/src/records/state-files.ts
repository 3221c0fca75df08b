import { resolve } from "node:path";
import type { LaunchRequest } from "@homcc/launch/messages";
import type { Clock } from "@homcc/observability/clock";
import { describeError } from "@homcc/observability/error";
import type { Logger } from "@homcc/observability/log";
import type { JobMonitor, MonitorLine } from "./monitor-line.ts";
import { SlotNumbers } from "./slot-numbers.ts";
import { StateFolder } from "./state-folder.ts";
import { encodeJobState, type JobPhase } from "./state-layout.ts";

/**
 * A phase is written once it has lasted this long. Monitors look once a second at most, so that a job that ends sooner
 * would hardly be seen, and costs nothing.
 */
const settleMs = 100;

/** Monitors take a file for left over that nobody has touched for a minute. */
const touchMs = 30_000;

/** A folder that cannot be used is tried again after this time. */
const retryMs = 60_000;

/** A folder on a network that is slower must not hold up the other jobs. */
const slowMs = 50;

/** More homes than one user has; builds of packages have one each. */
const maxFolders = 64;

/** What monitors of distcc read of our jobs: `binstate_PID` in `$DISTCC_DIR/state`, else `~/.distcc/state`. */
export class StateFiles {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #numbers = new SlotNumbers();
  readonly #folders = new Map<string, StateFolder>();
  readonly #failedMs = new Map<string, number>();

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Writes nothing yet. Dispose it when the job has ended: then no file of it is left. */
  ofJob(request: Pick<LaunchRequest, "environment" | "cwd" | "pid">): JobStates {
    const place = placeOf(request);
    return new JobStates(request.pid, this.#numbers, (use) => {
      if (place !== undefined) this.#inFolder(place, use);
    });
  }

  /** What fails, or holds up the agent, is said once, and not tried again for a minute. */
  #inFolder(place: StatePlace, use: (folder: StateFolder) => void): void {
    const { path } = place;
    const failedMs = this.#failedMs.get(path);
    const startedMs = this.#clock.monotonicMs();
    if (failedMs !== undefined && startedMs - failedMs < retryMs) return;
    try {
      use(this.#folder(place));
      const tookMs = Math.round(this.#clock.monotonicMs() - startedMs);
      if (tookMs > slowMs) throw new Error(`${path} is slow: ${tookMs} ms for one file`);
      this.#failedMs.delete(path);
    } catch (error) {
      if (failedMs === undefined) this.#logger.debug(`no state files for monitors: ${describeError(error)}`);
      if (this.#failedMs.size >= maxFolders) this.#failedMs.clear();
      this.#failedMs.set(path, this.#clock.monotonicMs());
      this.#folders.delete(path);
    }
  }

  #folder({ path, home }: StatePlace): StateFolder {
    let folder = this.#folders.get(path);
    if (folder === undefined) {
      if (this.#folders.size >= maxFolders) this.#folders.clear();
      folder = new StateFolder(path, home);
      this.#folders.set(path, folder);
    }
    return folder;
  }
}

interface StatePlace {
  /** Of distcc; the files lie in its folder `state`. */
  readonly path: string;
  /** The home it lies in; `undefined` when DISTCC_DIR names it. */
  readonly home: string | undefined;
}

function placeOf({ environment, cwd }: Pick<LaunchRequest, "environment" | "cwd">): StatePlace | undefined {
  const { DISTCC_DIR: own = "", HOME: home = "" } = environment;
  if (own !== "") return { path: resolve(cwd, own), home: undefined };
  return home.startsWith("/") ? { path: resolve(home, ".distcc"), home } : undefined;
}

type InFolder = (use: (folder: StateFolder) => void) => void;

/** The state files of one job: one for each source, since a command may compile several at once. */
export class JobStates implements JobMonitor, Disposable {
  readonly #pid: number;
  readonly #numbers: SlotNumbers;
  readonly #inFolder: InFolder;
  readonly #files: StateFile[] = [];

  constructor(pid: number, numbers: SlotNumbers, inFolder: InFolder) {
    this.#pid = pid;
    this.#numbers = numbers;
    this.#inFolder = inFolder;
  }

  follow(name: string): MonitorLine {
    // Monitors read whatever begins with "binstate_", and take the process from the content.
    const suffix = this.#files.length === 0 ? "" : `_${this.#files.length}`;
    const fileName = `binstate_${this.#pid}${suffix}`;
    const file = new StateFile(fileName, { pid: this.#pid, file: name }, this.#numbers, this.#inFolder);
    this.#files.push(file);
    return file;
  }

  [Symbol.dispose](): void {
    for (const file of this.#files) file[Symbol.dispose]();
  }
}

class StateFile implements MonitorLine {
  readonly #fileName: string;
  readonly #job: { readonly pid: number; readonly file: string };
  readonly #numbers: SlotNumbers;
  readonly #inFolder: InFolder;
  #place: { readonly host: string; readonly slot: ReturnType<SlotNumbers["take"]> } | undefined;
  #phase: JobPhase = "startup";
  #timer: NodeJS.Timeout | undefined;
  #wasWritten = false;
  #isOver = false;

  constructor(
    fileName: string,
    job: { readonly pid: number; readonly file: string },
    numbers: SlotNumbers,
    inFolder: InFolder,
  ) {
    this.#fileName = fileName;
    this.#job = job;
    this.#numbers = numbers;
    this.#inFolder = inFolder;
  }

  enter(phase: JobPhase, host: string): void {
    if (this.#isOver) return;
    if (this.#place?.host !== host) {
      this.#place?.slot[Symbol.dispose]();
      this.#place = { host, slot: this.#numbers.take(host) };
    } else if (this.#phase === phase) return;
    this.#phase = phase;
    this.#writeAfter(settleMs);
  }

  [Symbol.dispose](): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#place?.slot[Symbol.dispose]();
    if (this.#wasWritten) this.#inFolder((folder) => folder.remove(this.#fileName));
  }

  #writeAfter(delayMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#write(), delayMs);
  }

  #write(): void {
    if (this.#place === undefined) return;
    const { host, slot } = this.#place;
    const bytes = encodeJobState({ ...this.#job, host, slot: slot.number, phase: this.#phase });
    this.#wasWritten = true;
    this.#inFolder((folder) => folder.write(this.#fileName, bytes));
    this.#writeAfter(touchMs);
  }
}
