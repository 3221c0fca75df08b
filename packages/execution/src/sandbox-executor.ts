import { lstatSync, readdirSync, readlinkSync, type Stats } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Executor } from "./executor.ts";
import { isSharedLibrary, type LayerListing } from "./layer-listing.ts";
import { createLayeredExecutor, layOutBase, type LayeredExecutorOptions } from "./namespace-executor.ts";

export interface SandboxExecutorOptions extends Omit<LayeredExecutorOptions, "floor" | "shares"> {
  /** The sandbox's root; `undefined` when only the job runner sees it, which shows it as /t. */
  readonly root: string | undefined;
}

/**
 * Runs jobs over the root of a sandbox that lies on this server: the client's paths are the real ones, and everything
 * else is the sandbox's own, read-only. Nothing of this server is shown besides devices.
 */
export async function createSandboxExecutor({ root, ...options }: SandboxExecutorOptions): Promise<Executor> {
  return await createLayeredExecutor({
    ...options,
    shares: [],
    floor: {
      folder: root ?? "",
      hidesAbsent: false,
      prepareSession: async (folder) => {
        await layOutBase(join(folder, baseLayer), []);
        await mkdir(join(folder, "sandbox")); // where native/door.c mounts it
      },
      layersFor: async () => ({
        layers: ["/t", baseLayer],
        listing: root === undefined ? unseen : new RootListing(root),
      }),
    },
  });
}

/** Of a root that only the job runner sees: where client and sandbox have something at one path, it is the client's. */
const unseen: LayerListing = {
  has: () => false,
  isFolder: () => false,
  readLink: () => undefined,
  holdsPrograms: () => false,
};

/** Relative to the session's folder: a root may lack the places where devices are mounted. */
const baseLayer = "b";

/**
 * Looks only where it is asked, as a root has some 20,000 entries and may change between two jobs; within a job each place
 * is looked at once, 5 µs each. Paths have no links but in their last component.
 */
class RootListing implements LayerListing {
  readonly #root: string;
  readonly #known = new Map<string, Stats | undefined>();
  readonly #programFolders = new Map<string, boolean>();

  constructor(root: string) {
    this.#root = root;
  }

  has(path: string): boolean {
    return this.#status(path) !== undefined;
  }

  isFolder(path: string): boolean {
    return this.#status(path)?.isDirectory() === true;
  }

  readLink(path: string): string | undefined {
    if (this.#status(path)?.isSymbolicLink() !== true) return undefined;
    try {
      return readlinkSync(this.#root + path);
    } catch {
      return undefined;
    }
  }

  holdsPrograms(folder: string): boolean {
    const known = this.#programFolders.get(folder);
    if (known !== undefined) return known;
    const holds =
      this.isFolder(folder) && this.#namesIn(folder).some((name) => this.#isProgram(folder, name));
    this.#programFolders.set(folder, holds);
    return holds;
  }

  #isProgram(folder: string, name: string): boolean {
    const status = this.#status(join(folder, name));
    if (status === undefined || status.isDirectory()) return false;
    return isSharedLibrary(name) || (status.isFile() && (status.mode & 0o111) !== 0);
  }

  #namesIn(folder: string): string[] {
    try {
      return readdirSync(this.#root + folder);
    } catch {
      return [];
    }
  }

  /** Nothing is looked for in a folder that is not there: most of a client's paths end at their first component. */
  #status(path: string): Stats | undefined {
    if (this.#known.has(path)) return this.#known.get(path);
    const folder = dirname(path);
    const isThere = folder === "/" || this.#status(folder)?.isDirectory() === true;
    const status = isThere ? this.#look(path) : undefined;
    this.#known.set(path, status);
    return status;
  }

  #look(path: string): Stats | undefined {
    try {
      return lstatSync(this.#root + path, { throwIfNoEntry: false });
    } catch {
      return undefined;
    }
  }
}
