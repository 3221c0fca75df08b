import { join } from "node:path";
import type { InputEntry } from "@homcc/cas/action";
import type { BlobStore } from "@homcc/cas/blob-store";
import { LayerPlan, sameEntry } from "./layer-plan.ts";
import { folderOf } from "./link-resolution.ts";
import { removeTree } from "./remove-tree.ts";

/** A job with more new entries than this shares them at once; with fewer, it brings them in its private layer. */
const manyEntries = 32;
/** An entry that the private layers of this many jobs have brought is shared without waiting for company. */
const hotUses = 4;
/** Layers cost 10 µs each per mount, and the mount's options end at 4096 bytes. */
const maxGenerations = 32;
/** Replaced entries that are kept, at least, before they alone cause a new epoch. */
const maxDeadEntries = 2000;

/** What one job sees of the mirror. */
export interface MirrorView {
  /** Layer folders relative to the session's, newest first. None of them changes until `release`. */
  readonly layers: readonly string[];
  /** Inputs that these layers do not show: the job brings them in a layer of its own, on top. */
  readonly missing: readonly InputEntry[];
  /** Those of the job's absent paths at which the layers show something. */
  readonly present: readonly string[];
  /** The layers show something there. */
  has(path: string): boolean;
  release(): void;
}

/**
 * The input files of one session, mirrored at their paths in immutable layers.
 *
 * An overlay whose lower layer changes while it is mounted shows old text and misses new files, so a layer that a job
 * may have mounted is never touched: what is new goes into a new layer (a generation) on top, and what only one job
 * needs (usually its source) into a layer of that job. When there are too many generations, what was used lately is
 * linked into the first layer of a new epoch, and the old epoch goes when its last job ended.
 */
export class InputMirror {
  readonly #folder: string;
  readonly #blobs: BlobStore;
  #epoch = new Epoch();
  /** Entries for the next generation, by path. */
  readonly #due = new Map<string, InputEntry>();
  #nextLayer = 1;
  #lastCommit: Promise<void> = Promise.resolve();
  #nextCommit: Promise<void> | undefined;

  /** `folder` is the session's; layers are made in its subfolder `g`. */
  constructor(folder: string, blobs: BlobStore) {
    this.#folder = folder;
    this.#blobs = blobs;
  }

  /** `inputs` and `absent` at the places where they really lie: no path leads through a link. */
  async view(inputs: readonly InputEntry[], absent: readonly string[]): Promise<MirrorView> {
    const missing = inputs.filter((entry) => !this.#epoch.shows(entry));
    if (missing.length > manyEntries) {
      for (const entry of missing) this.#due.set(entry.path, entry);
      await this.#commit();
    }
    return this.#take(inputs, absent);
  }

  /** Synchronous: layers, missing and present must describe the same moment. */
  #take(inputs: readonly InputEntry[], absent: readonly string[]): MirrorView {
    const epoch = this.#epoch;
    const missing = inputs.filter((entry) => !epoch.shows(entry));
    for (const entry of missing) this.#noteUse(epoch, entry);
    epoch.jobs += 1;
    let released = false;
    return {
      layers: [...epoch.generations],
      missing,
      present: absent.filter((path) => epoch.has(path)),
      has: (path) => epoch.has(path),
      release: () => {
        if (!released) epoch.jobs -= 1;
        released = true;
        this.#removeIfUnused(epoch);
      },
    };
  }

  /** Decides when an entry that private layers bring becomes shared. */
  #noteUse(epoch: Epoch, entry: InputEntry): void {
    const uses = epoch.countUse(entry);
    if (uses < 2) return;
    this.#due.set(entry.path, entry);
    if (uses >= hotUses || this.#due.size > manyEntries) void this.#commit();
  }

  /**
   * Makes a generation of what is due. Commits run one after the other, and all who ask while one runs share the next:
   * the first jobs of a build, many at once with nearly the same inputs, end in two or three generations. Never
   * rejects: what could not be written stays missing, and the job that needs it reports why.
   */
  #commit(): Promise<void> {
    this.#nextCommit ??= this.#lastCommit.then(() => {
      this.#nextCommit = undefined;
      this.#lastCommit = this.#writeGeneration().catch(() => {});
      return this.#lastCommit;
    });
    return this.#nextCommit;
  }

  async #writeGeneration(): Promise<void> {
    const epoch = this.#epoch;
    const entries = [...this.#due.values()].filter((entry) => !epoch.shows(entry));
    this.#due.clear();
    const written = await this.#writeLayer(entries);
    if (written === undefined) return;
    epoch.generations.unshift(written.layer);
    for (const entry of written.entries) epoch.record(entry, written.layer, true);
    const { live, dead } = epoch;
    const crowded = epoch.generations.length >= maxGenerations || dead > Math.max(live, maxDeadEntries);
    if (crowded) await this.#startEpoch(epoch);
  }

  /** Entries that contradict others (two versions of a path, a file and a folder) are left out: jobs bring those. */
  async #writeLayer(
    entries: readonly InputEntry[],
  ): Promise<{ layer: string; entries: InputEntry[] } | undefined> {
    const plan = new LayerPlan();
    const planned = entries.filter((entry) => plan.add(entry));
    if (planned.length === 0) return undefined;
    const layer = this.#layerName();
    try {
      const failed = await plan.write(join(this.#folder, layer), this.#blobs);
      return { layer, entries: planned.filter((entry) => !failed.has(entry)) };
    } catch {
      await removeTree(join(this.#folder, layer));
      return undefined;
    }
  }

  /** Runs as part of a commit, so nothing is recorded meanwhile; jobs go on with the old epoch until the end. */
  async #startEpoch(old: Epoch): Promise<void> {
    const plan = new LayerPlan();
    const carried = old.usedEntries().filter(({ entry, layer }) => {
      if (entry.kind !== "file") return plan.add(entry);
      return plan.add({ kind: "link", path: entry.path, from: join(this.#folder, layer, entry.path) });
    });
    const epoch = new Epoch();
    if (carried.length > 0) {
      const layer = this.#layerName();
      const failed = await plan.write(join(this.#folder, layer), this.#blobs);
      const failedPaths = new Set([...failed.keys()].map((entry) => entry.path));
      epoch.generations.unshift(layer);
      for (const { entry } of carried) if (!failedPaths.has(entry.path)) epoch.record(entry, layer, false);
    }
    this.#epoch = epoch;
    this.#removeIfUnused(old);
  }

  #removeIfUnused(epoch: Epoch): void {
    if (epoch === this.#epoch || epoch.jobs > 0) return;
    // What cannot be removed now goes with the session's folder.
    for (const layer of epoch.generations.splice(0)) removeTree(join(this.#folder, layer)).catch(() => {});
  }

  #layerName(): string {
    const name = `g/${this.#nextLayer.toString(36)}`;
    this.#nextLayer += 1;
    return name;
  }
}

interface MirroredEntry {
  readonly entry: InputEntry;
  readonly layer: string;
  used: boolean;
}

/** A run of generations and what they show together: the newest entry of every path, and the folders above. */
class Epoch {
  /** Newest first. */
  readonly generations: string[] = [];
  /** Jobs that may have the generations mounted. */
  jobs = 0;
  /** Entries on disk that newer ones hide. */
  dead = 0;
  readonly #shown = new Map<string, MirroredEntry | "folder">();
  readonly #uses = new Map<string, { entry: InputEntry; count: number }>();

  get live(): number {
    return this.#shown.size;
  }

  has(path: string): boolean {
    return this.#shown.has(path);
  }

  shows(entry: InputEntry): boolean {
    const shown = this.#shown.get(entry.path);
    if (shown === undefined) return false;
    if (shown === "folder") return entry.kind === "directory";
    if (!sameEntry(shown.entry, entry)) return false;
    shown.used = true;
    return true;
  }

  /** How many private layers have brought this very entry, this one included. */
  countUse(entry: InputEntry): number {
    const known = this.#uses.get(entry.path);
    const count = known !== undefined && sameEntry(known.entry, entry) ? known.count + 1 : 1;
    this.#uses.set(entry.path, { entry, count });
    return count;
  }

  /** `layer` is the newest generation and holds `entry`; `used`: a job of this epoch asked for it. */
  record(entry: InputEntry, layer: string, used: boolean): void {
    this.#uses.delete(entry.path);
    if (entry.kind === "directory") return this.#recordFolder(entry.path);
    this.#recordFolder(folderOf(entry.path));
    const hidden = this.#shown.get(entry.path);
    if (hidden === "folder") this.#forgetBelow(entry.path);
    else if (hidden !== undefined) this.dead += 1;
    this.#shown.set(entry.path, { entry, layer, used });
  }

  /** What jobs of this epoch used: a folder only if it was an entry of its own, or holds something. */
  usedEntries(): { entry: InputEntry; layer: string }[] {
    return [...this.#shown.values()].filter((shown) => shown !== "folder").filter((shown) => shown.used);
  }

  #recordFolder(path: string): void {
    if (path === "" || this.#shown.get(path) === "folder") return;
    this.#recordFolder(folderOf(path));
    if (this.#shown.has(path)) this.dead += 1;
    this.#shown.set(path, "folder");
  }

  /** The folder became something else: all that older generations have below it is hidden for good. */
  #forgetBelow(folder: string): void {
    for (const path of this.#shown.keys()) {
      if (!path.startsWith(`${folder}/`)) continue;
      this.#shown.delete(path);
      this.dead += 1;
    }
  }
}
