import { lstat, mkdir, open, readdir, readlink, rename, symlink } from "node:fs/promises";
import { join } from "node:path";
import { type Digest, DigestBuilder, hashOf, sizeBytesOf } from "@homcc/cas/digest";
import { digestFile } from "@homcc/compiler/digest-file";
import type { Toolchain, ToolchainEntry } from "@homcc/compiler/toolchain";
import { HomccError } from "@homcc/observability/error";
import { removeTree } from "./remove-tree.ts";

/** Where an executor gets the files of a toolchain from. */
export interface ToolchainLayers {
  /** An immutable folder that holds exactly the toolchain's entries, at their absolute paths below it. */
  layerFor(toolchain: Digest): Promise<string>;
  /** Until it is disposed, the layer stays where it is. */
  hold(toolchain: Digest): Disposable;
}

/** 130 MB and 3,000 files take 1 s to copy and verify; more at a time only fills memory with chunks. */
const parallelCopies = 8;
const chunkBytes = 256 * 1024;

/**
 * Toolchain layers made of this server's own files, once each, in `folder/HASH`. The copy is verified against the
 * manifest, written under another name and renamed when complete: after `kill -9` a half-made one is ignored and removed at the
 * next start. After a power loss files may have lost their bytes, with or without their sizes, and a disk may rot: all of a
 * layer is read again when this process first uses it (130 MB in 0.2 s), and made anew when it is not what it was.
 * One server process per folder.
 */
export class CopiedToolchainLayers implements ToolchainLayers {
  readonly #folder: string;
  readonly #lookUp: (digest: Digest) => Toolchain | undefined;
  readonly #layers = new Map<Digest, Promise<string>>();
  #cleaned: Promise<void> | undefined;

  constructor(folder: string, lookUp: (digest: Digest) => Toolchain | undefined) {
    this.#folder = folder;
    this.#lookUp = lookUp;
  }

  layerFor(digest: Digest): Promise<string> {
    const known = this.#layers.get(digest);
    if (known !== undefined) return known;
    const made = this.#make(digest);
    this.#layers.set(digest, made);
    made.catch(() => this.#layers.delete(digest)); // the next job tries again
    return made;
  }

  /** They always do. */
  hold(): Disposable {
    return { [Symbol.dispose]: () => {} };
  }

  async #make(digest: Digest): Promise<string> {
    const toolchain = this.#lookUp(digest);
    if (toolchain === undefined) {
      throw new HomccError("ERR_HOMCC_TOOLCHAIN", `this server has no toolchain ${digest}`);
    }
    this.#cleaned ??= removeHalfMade(this.#folder);
    await this.#cleaned;
    const layer = join(this.#folder, hashOf(digest));
    if (await isIntact(layer, toolchain)) return layer;
    const partial = join(this.#folder, `${partialPrefix}${hashOf(digest)}`);
    try {
      await layOutEntries(toolchain.entries, partial, copyVerified);
      await removeTree(layer);
      await rename(partial, layer);
    } catch (error) {
      await removeTree(partial).catch(() => {});
      throw asLayerError(error);
    }
    return layer;
  }
}

const partialPrefix = "partial-";

async function removeHalfMade(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const name of await readdir(folder)) {
    if (name.startsWith(partialPrefix)) await removeTree(join(folder, name));
  }
}

/** Whether everything lies in `layer` as it was made, every file by its digest: 130 MB take 0.1 s. */
export async function isIntact(layer: string, toolchain: Pick<Toolchain, "entries">): Promise<boolean> {
  const queue = toolchain.entries.values();
  let intact = true;
  const check = async (): Promise<void> => {
    for (const entry of queue) {
      if (!(await isAsMade(layer + entry.path, entry))) intact = false;
      if (!intact) return;
    }
  };
  await Promise.all(Array.from({ length: parallelCopies }, check));
  return intact;
}

async function isAsMade(path: string, entry: ToolchainEntry): Promise<boolean> {
  try {
    const status = await lstat(path);
    switch (entry.kind) {
      case "directory":
        return status.isDirectory();
      case "symlink":
        return status.isSymbolicLink() && (await readlink(path)) === entry.target;
      case "file":
        return (
          status.isFile() &&
          status.size === sizeBytesOf(entry.digest) &&
          ((status.mode & 0o100) !== 0) === entry.executable &&
          (await digestFile(path)).digest === entry.digest
        );
    }
  } catch {
    return false;
  }
}

type FileEntry = Extract<ToolchainEntry, { kind: "file" }>;

/** Below the folder `layer`, which must not exist; `copyFile` makes one file at a path. Rejects once nothing is under way any more. */
export async function layOutEntries(
  entries: readonly ToolchainEntry[],
  layer: string,
  copyFile: (file: FileEntry, path: string) => Promise<void>,
): Promise<void> {
  await mkdir(layer, { recursive: true });
  const files = entries.filter((entry) => entry.kind === "file");
  for (const entry of entries) {
    if (entry.kind === "directory") await mkdir(layer + entry.path, { recursive: true });
    else await mkdir(join(layer + entry.path, ".."), { recursive: true });
  }
  const queue = files.values();
  const copy = async () => {
    for (const file of queue) await copyFile(file, layer + file.path);
  };
  // All must have ended before the caller may remove the folder.
  const workers = await Promise.allSettled(Array.from({ length: parallelCopies }, copy));
  for (const worker of workers) if (worker.status === "rejected") throw worker.reason;
  for (const entry of entries) {
    if (entry.kind === "symlink") await symlink(entry.target, layer + entry.path); // last: no path leads through one
  }
}

async function copyVerified({ path: source, digest, executable }: FileEntry, target: string): Promise<void> {
  await using from = await open(source, "r");
  await using to = await open(target, "wx", executable ? 0o755 : 0o644);
  const builder = new DigestBuilder();
  const buffer = Buffer.allocUnsafe(Math.min(chunkBytes, sizeBytesOf(digest) + 1));
  for (;;) {
    const { bytesRead } = await from.read(buffer, 0, buffer.length, null);
    if (bytesRead === 0) break;
    const chunk = buffer.subarray(0, bytesRead);
    builder.update(chunk);
    await to.writeFile(chunk);
  }
  if (builder.finish() !== digest) {
    throw new HomccError("ERR_HOMCC_TOOLCHAIN", `${source} has changed since the toolchain was inspected`);
  }
}

export function asLayerError(error: unknown): unknown {
  if (error instanceof HomccError || !(error instanceof Error) || !("code" in error)) return error;
  const full = error.code === "ENOSPC" || error.code === "EDQUOT";
  const message = "the toolchain's files could not be copied into the store";
  return new HomccError(full ? "ERR_HOMCC_STORE_FULL" : "ERR_HOMCC_TOOLCHAIN", message, { cause: error });
}
