import { chmod, link, mkdir, symlink, utimes, writeFile } from "node:fs/promises";
import type { InputEntry } from "@homcc/cas/action";
import type { BlobStore } from "@homcc/cas/blob-store";
import { LostInput } from "./lost-input.ts";
import { folderOf } from "./link-resolution.ts";

/** An entry of a layer: of the client's files, or something that only has to be there. */
export type LayerEntry =
  | InputEntry
  /** Stands for a file that exists at home and whose bytes nobody reads. Not empty: `as` treats an empty object otherwise. */
  | { readonly kind: "placeholder"; readonly path: string; readonly mode: number }
  /** The same file in another layer; the two are never seen by one job. */
  | { readonly kind: "link"; readonly path: string; readonly from: string };

type Written = Exclude<LayerEntry, { readonly kind: "directory" }>;

/** 16 at a time keep the four threads of the pool busy. */
const parallelWrites = 16;

/**
 * What one immutable layer will hold. No entry ever lies below a link or a file of the same plan: writing it would
 * leave the layer's folder.
 */
export class LayerPlan {
  readonly #folders = new Set<string>([""]);
  readonly #written = new Map<string, Written>();

  get size(): number {
    return this.#written.size + this.#folders.size - 1;
  }

  /** False, and nothing changes, when the entry contradicts one that is there. */
  add(entry: LayerEntry): boolean {
    if (entry.kind === "directory") return this.#addFolder(entry.path === "/" ? "" : entry.path);
    if (this.#folders.has(entry.path)) return false;
    const present = this.#written.get(entry.path);
    if (present !== undefined) return sameEntry(present, entry);
    if (!this.#addFolder(folderOf(entry.path))) return false;
    this.#written.set(entry.path, entry);
    return true;
  }

  /** Writes it below `folder`, which must not exist. Gives what could not be written, with the reason. */
  async write(folder: string, blobs: BlobStore): Promise<Map<LayerEntry, unknown>> {
    await inParallel(this.#leafFolders().values(), async (leaf) => {
      await mkdir(folder + leaf, { recursive: true });
    });
    const failed = new Map<LayerEntry, unknown>();
    await inParallel(this.#written.values(), async (entry) => {
      await writeEntry(folder + entry.path, entry, blobs).catch((error: unknown) => failed.set(entry, error));
    });
    return failed;
  }

  #addFolder(path: string): boolean {
    if (this.#folders.has(path)) return true;
    if (this.#written.has(path) || !this.#addFolder(folderOf(path))) return false;
    this.#folders.add(path);
    return true;
  }

  #leafFolders(): Set<string> {
    const leaves = new Set(this.#folders);
    for (const folder of this.#folders) if (folder !== "") leaves.delete(folderOf(folder));
    return leaves;
  }
}

/** Rejects with the first failure, once nothing is under way any more. */
async function inParallel<Item>(
  items: IterableIterator<Item>,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const worker = async (): Promise<void> => {
    for (const item of items) await work(item);
  };
  const ends = await Promise.allSettled(Array.from({ length: parallelWrites }, worker));
  for (const end of ends) if (end.status === "rejected") throw end.reason;
}

/** True when both would put the same thing at the same path. */
export function sameEntry(a: LayerEntry, b: LayerEntry): boolean {
  if (a.kind === "file") return b.kind === "file" && a.digest === b.digest && a.mtimeNs === b.mtimeNs;
  if (a.kind === "symlink") return b.kind === "symlink" && a.target === b.target;
  return a.kind === b.kind;
}

async function writeEntry(path: string, entry: Written, blobs: BlobStore): Promise<void> {
  switch (entry.kind) {
    case "file": {
      if (!(await blobs.copyTo(entry.digest, path))) {
        throw new LostInput(entry.digest, entry.path);
      }
      const seconds = mtimeSeconds(entry.mtimeNs);
      return await utimes(path, seconds, seconds);
    }
    case "symlink":
      return await symlink(entry.target, path);
    case "link":
      return await link(entry.from, path);
    case "placeholder":
      await writeFile(path, "\n", { flag: "wx" });
      return await chmod(path, entry.mode);
  }
}

/**
 * Whole microseconds, rounded down, so that the second never changes: gcc's `#pragma once` compares seconds, and a
 * double is off by 120 ns at most. For times before 1970 Node would write the current one, hence 0.
 */
function mtimeSeconds(mtimeNs: bigint): number {
  return mtimeNs < 0n ? 0 : Number(mtimeNs / 1000n) / 1e6;
}
