import { constants } from "node:fs";
import { open, realpath, type FileHandle } from "node:fs/promises";
import { describeError } from "@homcc/observability/error";
import { silentLogger, type Logger } from "@homcc/observability/log";
import type { BlobStore } from "./blob-store.ts";
import { sizeBytesOf, type Digest } from "./digest.ts";
import { errnoOf } from "./errno.ts";
import { FileDigests, piecesOf } from "./file-digests.ts";

/** Folders that hold the same files wherever the same packages are installed, and nothing private. */
const systemFolders: readonly string[] = [
  "/usr/include",
  "/usr/lib",
  "/usr/local/include",
  "/usr/share/locale",
];

const filesAtOnce = 8;
/** Without O_NONBLOCK opening a pipe would wait for its writer. */
const openFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** A file as the client has it. */
export interface AdoptableFile {
  readonly path: string;
  readonly digest: Digest;
}

export interface LocalFileAdoptionOptions {
  readonly store: BlobStore;
  readonly folders?: readonly string[];
  readonly logger?: Logger;
}

/**
 * Takes files of this machine into the store where the client has the same file at the same path, so that nobody
 * uploads `/usr/include`. Call it before asking the store what is missing.
 *
 * The client chooses the paths, so a file counts only when it is regular and really lies in one of the folders, all
 * links followed; and it is read only for comparing, so a client learns of it what it knew already.
 */
export class LocalFileAdoption {
  readonly #store: BlobStore;
  readonly #folders: readonly string[];
  readonly #logger: Logger;
  readonly #digests = new FileDigests();
  /** Jobs that start together want the same headers. */
  readonly #running = new Map<Digest, Promise<void>>();

  constructor(options: LocalFileAdoptionOptions) {
    this.#store = options.store;
    this.#folders = options.folders ?? systemFolders;
    this.#logger = options.logger ?? silentLogger;
  }

  /** Resolves when all that can be taken is in the store. A file that cannot is no error: the client has it. */
  async adopt(files: Iterable<AdoptableFile>): Promise<void> {
    const paths = new Map<Digest, string[]>();
    for (const { path, digest } of files) {
      if (!isBelow(path, this.#folders)) continue;
      const samePaths = paths.get(digest);
      if (samePaths === undefined) paths.set(digest, [path]);
      else samePaths.push(path);
    }
    const missing = (await this.#store.findMissing(paths.keys())).values();
    const worker = async (): Promise<void> => {
      for (const digest of missing) await this.#adoptOnce(digest, paths.get(digest) ?? []);
    };
    await Promise.all(Array.from({ length: filesAtOnce }, worker));
  }

  #adoptOnce(digest: Digest, paths: readonly string[]): Promise<void> {
    const running = this.#running.get(digest);
    if (running !== undefined) return running;
    const adopting = this.#adoptFirst(digest, paths).finally(() => this.#running.delete(digest));
    this.#running.set(digest, adopting);
    return adopting;
  }

  async #adoptFirst(digest: Digest, paths: readonly string[]): Promise<void> {
    for (const path of paths) {
      try {
        if (await this.#adoptFrom(path, digest)) return;
      } catch (error) {
        if (errnoOf(error) !== "ENOENT")
          this.#logger.debug(`cannot take over ${path}: ${describeError(error)}`);
      }
    }
  }

  async #adoptFrom(path: string, digest: Digest): Promise<boolean> {
    await using file = await this.#open(path);
    const stats = await file.stat();
    if (!stats.isFile() || stats.size !== sizeBytesOf(digest)) return false;
    // Before `put`, which would evict other blobs for one that turns out to be different.
    if ((await this.#digests.digestOf(file)) !== digest) return false;
    await this.#store.put(digest, piecesOf(file));
    return true;
  }

  async #open(path: string): Promise<FileHandle> {
    const place = await realpath(path);
    const folders = await Promise.all(this.#folders.map((folder) => realpath(folder).catch(() => folder)));
    if (!isBelow(place, folders)) throw new Error(`it lies in ${place}`);
    return open(place, openFlags);
  }
}

/** Lexically, and only for paths without `.` and `..`. */
function isBelow(path: string, folders: readonly string[]): boolean {
  if (/\/\.{1,2}(\/|$)/.test(path)) return false;
  return folders.some((folder) => path.startsWith(`${folder}/`));
}
