import { systemClock, type Clock } from "@homcc/observability/clock";
import { HomccError } from "@homcc/observability/error";
import type { Logger } from "@homcc/observability/log";
import type { CompilerFamily } from "./compilation.ts";
import { findProgram } from "./find-program.ts";
import { loadedFilesOf, type LoadedFiles, loaderFiles, realPathsOf } from "./shared-libraries.ts";
import { StampedPaths } from "./stamped-paths.ts";
import { ToolchainDigests } from "./toolchain-digests.ts";
import { isExecutable, ToolchainLayout } from "./toolchain-layout.ts";
import { manifestDigest, sortEntries } from "./toolchain-manifest.ts";
import { thisMachine, type ToolchainPlace } from "./toolchain-place.ts";
import { collectParts, type ToolchainParts } from "./toolchain-parts.ts";
import type { Toolchain, ToolchainEntry } from "./toolchain.ts";

export interface InspectorOptions {
  /** Where digests are remembered between processes. */
  readonly cacheFile?: string;
  /** Hears of such a file that cannot be used. */
  readonly logger?: Logger;
  /** How long an answer is given without looking at all its files again (400 stats, 2 ms). */
  readonly recheckMs?: number;
  readonly clock?: Clock;
  /** Default: this machine. */
  readonly place?: ToolchainPlace;
}

export interface ToolchainQuestion {
  readonly family: CompilerFamily;
  /** PATH of the job: assemblers are found through it. */
  readonly path: string;
  /** LD_LIBRARY_PATH of the job, its folders absolute. */
  readonly libraryPath?: string;
}

interface Inspection {
  readonly toolchain: Promise<Toolchain>;
  /** Filled when the inspection is complete. */
  checks: Checks | undefined;
  checkedAtMs: number;
}

interface Checks {
  /** Programs, libraries and folders, as they are at this moment. Packages are installed by renaming, which changes folders. */
  readonly main: () => boolean;
  /** All. */
  readonly all: () => boolean;
  /** Nothing was so young that it may change again without another stat. */
  readonly settled: boolean;
}

const defaultRecheckMs = 1000;
/** Different PATHs with the same compiler are different questions. */
const maxInspections = 256;
/** A package is replaced in a second or two; the job compiles at home meanwhile. */
const maxAttempts = 2;

/**
 * Finds out what a compiler consists of, on the client for its own and on the server for the client's: equal digests
 * mean that either gives the same result.
 */
export class ToolchainInspector {
  readonly #digests: ToolchainDigests;
  readonly #clock: Clock;
  readonly #place: ToolchainPlace;
  readonly #recheckMs: number;
  readonly #inspections = new Map<string, Inspection>();

  constructor(options: InspectorOptions = {}) {
    this.#clock = options.clock ?? systemClock;
    this.#place = options.place ?? thisMachine;
    this.#recheckMs = options.recheckMs ?? defaultRecheckMs;
    this.#digests = new ToolchainDigests({
      cacheFile: options.cacheFile,
      clock: this.#clock,
      logger: options.logger,
    });
  }

  /**
   * Rejects with ERR_HOMCC_TOOLCHAIN when the driver is missing, a script, does not answer, needs LD_LIBRARY_PATH, or keeps
   * changing. Concurrent calls share one inspection.
   */
  async inspect(driver: string, question: ToolchainQuestion): Promise<Toolchain> {
    const key = JSON.stringify([driver, question.family, question.path, question.libraryPath]);
    const known = this.#inspections.get(key);
    if (known !== undefined && this.#holds(known)) return known.toolchain;
    const inspection: Inspection = {
      toolchain: sameIfEqual(
        known?.toolchain,
        this.#inspect(driver, question, (checks) => {
          inspection.checks = checks;
          inspection.checkedAtMs = this.#clock.monotonicMs();
        }),
      ),
      checks: undefined,
      checkedAtMs: this.#clock.monotonicMs(),
    };
    if (this.#inspections.size >= maxInspections) this.#inspections.clear();
    this.#inspections.set(key, inspection);
    inspection.toolchain.catch(() => this.#inspections.delete(key));
    return inspection.toolchain;
  }

  /**
   * A job that begins after the compiler was replaced gets no answer of before: what it runs is looked at each time (40 stats,
   * 0.13 ms), and all of it while something is young.
   */
  #holds(inspection: Inspection): boolean {
    const { checks } = inspection;
    if (checks === undefined) return true;
    const nowMs = this.#clock.monotonicMs();
    const isFresh = nowMs - inspection.checkedAtMs < this.#recheckMs;
    if (!checks.settled) return isFresh && checks.all();
    if (isFresh) return checks.main();
    inspection.checkedAtMs = nowMs;
    return checks.all();
  }

  /** Again when something changed meanwhile: one part as it was before and another as it is now are no toolchain. */
  async #inspect(
    driver: string,
    question: ToolchainQuestion,
    complete: (checks: Checks) => void,
  ): Promise<Toolchain> {
    for (let attempt = 1; attempt <= maxAttempts; attempt += 1) {
      const found = await this.#inspectOnce(driver, question);
      if (found === undefined) continue;
      complete(found.checks);
      return found.toolchain;
    }
    throw new HomccError("ERR_HOMCC_TOOLCHAIN", `${driver} changes while it is looked at`, {
      hint: "is the compiler being upgraded?",
    });
  }

  async #inspectOnce(
    driver: string,
    question: ToolchainQuestion,
  ): Promise<{ readonly toolchain: Toolchain; readonly checks: Checks } | undefined> {
    const place = this.#place;
    const { family, path } = question;
    const startedAtMs = this.#clock.wallMs();
    const layout = new ToolchainLayout(place.root);
    for (const file of Object.values(loaderFiles)) layout.lookAt(file);
    const parts = await collectParts({ driver, family, path, place }, layout);
    const main = new StampedPaths(place.root);
    await addPrograms(parts, question, layout, main, place);
    for (const folder of layout.trees) main.addPath(folder);
    const entries = sortEntries(await this.#entries(layout));
    await this.#digests.save();
    const stamps = layout.stamps();
    if (stamps?.unchanged() !== true) return undefined;
    const toolchain = { family, version: parts.version, driver, digest: manifestDigest(entries), entries };
    return {
      toolchain,
      checks: {
        main: () => main.unchanged(),
        all: () => stamps.unchanged() && sameLookups(parts, path, place.root),
        settled: stamps.settledAt(startedAtMs),
      },
    };
  }

  async #entries(layout: ToolchainLayout): Promise<ToolchainEntry[]> {
    const entries: ToolchainEntry[] = [];
    for (const path of layout.folders()) entries.push({ kind: "directory", path });
    for (const [path, target] of layout.walk.links) entries.push({ kind: "symlink", path, target });
    for (const file of layout.files.values()) {
      const digest = await this.#digests.digest(file, this.#place.root);
      entries.push({ kind: "file", path: file.path, digest, executable: isExecutable(file) });
    }
    return entries;
  }
}

/** Others keep what they know of a toolchain by the object. */
async function sameIfEqual(
  known: Promise<Toolchain> | undefined,
  found: Promise<Toolchain>,
): Promise<Toolchain> {
  const [before, now] = await Promise.all([known?.catch(() => undefined), found]);
  return before?.digest === now.digest ? before : now;
}

async function addPrograms(
  parts: ToolchainParts,
  { libraryPath }: ToolchainQuestion,
  layout: ToolchainLayout,
  main: StampedPaths,
  place: ToolchainPlace,
): Promise<void> {
  for (const program of parts.programs) {
    layout.addFile(program);
    main.add(program);
    const loaded = await loadedFilesOf(program, place);
    if (loaded === undefined) {
      throw new HomccError("ERR_HOMCC_TOOLCHAIN", `${program} is no program of this machine`, {
        hint: "a script as compiler or assembler cannot be compared",
      });
    }
    for (const path of loaded.paths) {
      layout.addFile(path);
      main.add(path);
    }
    for (const path of loaded.tried) layout.lookAt(path);
    if (loaded.needsCache) layout.addFile(loaderFiles.cache);
    await compareLibraries(program, loaded, libraryPath, layout, place);
  }
  // The libraries it names were listed with the others.
  layout.addFile(loaderFiles.preload);
}

/** The job has no LD_LIBRARY_PATH elsewhere: where it makes a difference, the compiler is another one than there. */
async function compareLibraries(
  program: string,
  loaded: LoadedFiles,
  libraryPath: string | undefined,
  layout: ToolchainLayout,
  { root, ...place }: ToolchainPlace,
): Promise<void> {
  const found =
    libraryPath === undefined ? loaded : await loadedFilesOf(program, { root, ...place }, libraryPath);
  for (const path of found?.tried ?? []) layout.lookAt(path);
  if (found !== undefined && realPathsOf(found.paths, root) !== realPathsOf(loaded.paths, root)) {
    throw new HomccError("ERR_HOMCC_TOOLCHAIN", `LD_LIBRARY_PATH gives ${program} other libraries`);
  }
  if (loaded.missing !== undefined) {
    throw new HomccError(
      "ERR_HOMCC_TOOLCHAIN",
      `${program} needs ${loaded.missing}, which its loader does not find`,
    );
  }
}

function sameLookups(parts: ToolchainParts, path: string, root: string): boolean {
  for (const [name, program] of parts.lookedUp) if (findProgram(name, path, root) !== program) return false;
  return true;
}
