import { systemClock, type Clock } from "@homcc/observability/clock";
import { HomccError } from "@homcc/observability/error";
import type { CompilerFamily } from "./compilation.ts";
import { findProgram } from "./find-program.ts";
import { loadedFilesOf } from "./shared-libraries.ts";
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
  /** How long an answer is given without looking at its files again (400 stats, 2 ms). */
  readonly recheckMs?: number;
  readonly clock?: Clock;
  /** Default: this machine. */
  readonly place?: ToolchainPlace;
}

interface Inspection {
  readonly toolchain: Promise<Toolchain>;
  /** Filled when the inspection is complete. */
  unchanged: () => boolean;
  checkedAtMs: number;
}

const defaultRecheckMs = 1000;
/** Different PATHs with the same compiler are different questions. */
const maxInspections = 256;

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
    this.#digests = new ToolchainDigests({ cacheFile: options.cacheFile, clock: this.#clock });
  }

  /**
   * `path` is PATH of the job: assemblers are found through it. Rejects with ERR_HOMCC_TOOLCHAIN when the driver is
   * missing, a script, or does not answer. Concurrent calls share one inspection.
   */
  async inspect(
    driver: string,
    { family, path }: { readonly family: CompilerFamily; readonly path: string },
  ): Promise<Toolchain> {
    const key = JSON.stringify([driver, family, path]);
    const known = this.#inspections.get(key);
    if (known !== undefined && this.#holds(known)) return known.toolchain;
    const inspection: Inspection = {
      toolchain: this.#inspect(driver, family, path, (unchanged) => {
        inspection.unchanged = unchanged;
        inspection.checkedAtMs = this.#clock.monotonicMs();
      }),
      unchanged: () => true,
      checkedAtMs: this.#clock.monotonicMs(),
    };
    if (this.#inspections.size >= maxInspections) this.#inspections.clear();
    this.#inspections.set(key, inspection);
    inspection.toolchain.catch(() => this.#inspections.delete(key));
    return inspection.toolchain;
  }

  #holds(inspection: Inspection): boolean {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - inspection.checkedAtMs < this.#recheckMs) return true;
    inspection.checkedAtMs = nowMs;
    return inspection.unchanged();
  }

  async #inspect(
    driver: string,
    family: CompilerFamily,
    path: string,
    complete: (unchanged: () => boolean) => void,
  ): Promise<Toolchain> {
    const place = this.#place;
    const { root } = place;
    const layout = new ToolchainLayout(root);
    const parts = await collectParts({ driver, family, path, place }, layout);
    await addPrograms(parts, layout, place);
    const entries = sortEntries(await this.#entries(layout));
    await this.#digests.save();
    const stamps = stampsOf(layout, root);
    complete(() => stamps.unchanged() && sameLookups(parts, path, root));
    return { family, version: parts.version, driver, digest: manifestDigest(entries), entries };
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

async function addPrograms(
  parts: ToolchainParts,
  layout: ToolchainLayout,
  place: ToolchainPlace,
): Promise<void> {
  for (const program of parts.programs) {
    layout.addFile(program);
    const loaded = await loadedFilesOf(program, place);
    if (loaded === undefined) {
      throw new HomccError("ERR_HOMCC_TOOLCHAIN", `${program} is no program of this machine`, {
        hint: "a script as compiler or assembler cannot be compared",
      });
    }
    for (const path of loaded.paths) layout.addFile(path);
    if (loaded.needsCache) layout.addFile("/etc/ld.so.cache");
  }
}

/** Everything whose change makes another toolchain, folders by their own stat: a new file in one changes it. */
function stampsOf(layout: ToolchainLayout, root: string): StampedPaths {
  const stamps = new StampedPaths(root);
  stamps.addWalk(layout.walk);
  for (const path of [...layout.files.keys(), ...layout.trees]) stamps.addPath(path);
  return stamps;
}

function sameLookups(parts: ToolchainParts, path: string, root: string): boolean {
  for (const [name, program] of parts.lookedUp) if (findProgram(name, path, root) !== program) return false;
  return true;
}
