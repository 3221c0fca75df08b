import { constants } from "node:fs";
import { open, realpath, stat, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
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
/** Public digests that are remembered, 10 MB of them; of one that is forgotten a file is looked at again. */
const maxPublic = 100_000;
/** Permission bits for everybody. */
const readable = 0o004;
const searchable = 0o001;
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
 *
 * Of a file that everybody on this machine may read it remembers that: what it holds is no secret, whoever else brought it.
 */
export class LocalFileAdoption {
  readonly #store: BlobStore;
  readonly #folders: readonly string[];
  readonly #logger: Logger;
  readonly #digests = new FileDigests();
  /** Jobs that start together want the same headers. */
  readonly #running = new Map<Digest, Promise<void>>();
  readonly #public = new Set<Digest>();

  constructor(options: LocalFileAdoptionOptions) {
    this.#store = options.store;
    this.#folders = options.folders ?? systemFolders;
    this.#logger = options.logger ?? silentLogger;
  }

  /** Whether a file with these contents was found here that everybody may read. */
  isPublic(digest: Digest): boolean {
    return this.#public.has(digest);
  }

  /**
   * Resolves when all that can be taken is in the store, and what is public of `files` is known as such. A file that
   * cannot be taken is no error: the client has it.
   */
  async adopt(files: Iterable<AdoptableFile>): Promise<void> {
    const paths = new Map<Digest, string[]>();
    for (const { path, digest } of files) {
      if (!isBelow(path, this.#folders)) continue;
      const samePaths = paths.get(digest);
      if (samePaths === undefined) paths.set(digest, [path]);
      else samePaths.push(path);
    }
    const missing = new Set(await this.#store.findMissing(paths.keys()));
    const wanted = [...paths.keys()]
      .filter((digest) => missing.has(digest) || !this.isPublic(digest))
      .values();
    const worker = async (): Promise<void> => {
      for (const digest of wanted) await this.#adoptOnce(digest, paths.get(digest) ?? []);
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
    if ((stats.mode & readable) !== 0 && (await this.#isReachable(path))) this.#notePublic(digest);
    if ((await this.#store.findMissing([digest])).length > 0) await this.#store.put(digest, piecesOf(file));
    return true;
  }

  /** Whether everybody may pass the folders above the file. */
  async #isReachable(path: string): Promise<boolean> {
    const place = await realpath(path);
    for (let folder = dirname(place); folder !== "/"; folder = dirname(folder)) {
      if (((await stat(folder)).mode & searchable) === 0) return false;
    }
    return true;
  }

  #notePublic(digest: Digest): void {
    const [oldest] = this.#public;
    if (this.#public.size >= maxPublic && oldest !== undefined) this.#public.delete(oldest);
    this.#public.add(digest);
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
