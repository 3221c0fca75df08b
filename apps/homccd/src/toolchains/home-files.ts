import { constants } from "node:fs";
import { lstat, open, opendir, realpath, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { BlobStore } from "@homcc/cas/blob-store";
import { type Digest, emptyDigest, sizeBytesOf } from "@homcc/cas/digest";
import { FileDigests, piecesOf } from "@homcc/cas/file-digests";
import { describeError } from "@homcc/observability/error";
import type { Logger } from "@homcc/observability/log";

/** Where packages put programs, libraries and a compiler's own files. */
const systemFolders: readonly string[] = [
  "/usr/bin",
  "/usr/lib",
  "/usr/lib32",
  "/usr/lib64",
  "/usr/libx32",
  "/usr/libexec",
  "/usr/local/bin",
  "/usr/local/lib",
  "/usr/local/libexec",
  "/opt",
];

/** A walk that never ends serves nobody; a machine with every compiler of Debian has 200,000 files in these folders. */
const maxWalkedFiles = 500_000;
/** Of one size; more are looked at by nobody. */
const maxCandidates = 64;
const filesAtOnce = 8;
/** While one folder's are looked at. */
const filesInOneGo = 128;
/** Contents that were found or not found are remembered, 20 MB of them. */
const maxRemembered = 100_000;
/** So long a content that was nowhere is not looked for again. */
const forgottenAfterMs = 60_000;
/** Without O_NONBLOCK opening a pipe would wait for its writer. */
const openFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
/** Permission bits for everybody. */
const readable = 0o004;
const searchable = 0o001;

export interface WantedFile {
  readonly path: string;
  readonly digest: Digest;
}

export interface HomeFilesOptions {
  readonly store: Pick<BlobStore, "findMissing" | "put">;
  /** Folders that the administrator has named; whatever this process can read there may be given to clients. */
  readonly registered: () => Promise<readonly string[]>;
  readonly logger: Logger;
  /** Default: those of this system, where only what everybody may read counts. */
  readonly folders?: readonly string[];
}

/**
 * Finds a toolchain's files on this machine, by their bytes: at the client's path, below a registered folder at the client's path,
 * and else wherever a file of that size has that digest. What is found goes into the store, and is no secret.
 */
export class HomeFiles {
  readonly #options: HomeFilesOptions;
  readonly #folders: readonly string[];
  readonly #digests = new FileDigests();
  readonly #public = new Set<Digest>();
  readonly #missed = new Map<Digest, number>();
  #registered = "";

  constructor(options: HomeFilesOptions) {
    this.#options = options;
    this.#folders = options.folders ?? systemFolders;
  }

  /** Those of `wanted` that this machine has; they are in the store. */
  async find(wanted: readonly WantedFile[]): Promise<ReadonlySet<Digest>> {
    const registered = await this.#options.registered();
    this.#forget(registered.join("\n"));
    const open = new Map<Digest, Set<string>>();
    for (const { path, digest } of wanted) {
      if (digest === emptyDigest) continue;
      const paths = open.get(digest) ?? new Set();
      open.set(digest, paths.add(path));
    }
    const found = new Set<Digest>(wanted.some(({ digest }) => digest === emptyDigest) ? [emptyDigest] : []);
    const gone = new Set(await this.#options.store.findMissing(open.keys()));
    for (const digest of open.keys()) {
      if (!this.#public.has(digest) || gone.has(digest)) continue;
      found.add(digest);
      open.delete(digest);
    }
    await this.#take(open, found, (digest) =>
      [...(open.get(digest) ?? [])].flatMap((path) => [
        { path, isOpen: false },
        ...registered.map((folder) => ({ path: folder + path, isOpen: true })),
      ]),
    );
    for (const digest of found) open.delete(digest);
    const unknown = [...open.keys()].filter((digest) => !this.#missed.has(digest));
    if (unknown.length > 0) {
      const candidates = await this.#candidates(new Set(unknown.map(sizeBytesOf)), registered);
      await this.#take(
        new Map(unknown.map((digest) => [digest, new Set()])),
        found,
        (digest) => candidates.get(sizeBytesOf(digest)) ?? [],
      );
      const nowMs = performance.now();
      for (const digest of unknown) if (!found.has(digest)) this.#missed.set(digest, nowMs);
    }
    for (const digest of found) this.#public.add(digest);
    return found;
  }

  #forget(registered: string): void {
    const endMs = performance.now() - forgottenAfterMs;
    for (const [digest, sinceMs] of this.#missed) if (sinceMs < endMs) this.#missed.delete(digest);
    if (this.#missed.size > maxRemembered) this.#missed.clear();
    if (this.#public.size <= maxRemembered && registered === this.#registered) return;
    this.#registered = registered;
    this.#missed.clear();
    this.#public.clear();
  }

  async #take(
    wanted: ReadonlyMap<Digest, unknown>,
    found: Set<Digest>,
    placesOf: (digest: Digest) => readonly Candidate[],
  ): Promise<void> {
    const queue = wanted.keys();
    const worker = async (): Promise<void> => {
      for (const digest of queue) {
        for (const place of placesOf(digest)) {
          if (!(await this.#takeFrom(place, digest))) continue;
          found.add(digest);
          break;
        }
      }
    };
    await Promise.all(Array.from({ length: filesAtOnce }, worker));
  }

  async #takeFrom({ path, isOpen }: Candidate, digest: Digest): Promise<boolean> {
    try {
      const place = await realpath(path);
      if (!isOpen && !(await this.#isForEverybody(place))) return false;
      await using file = await open(place, openFlags);
      const status = await file.stat();
      if (!status.isFile() || status.size !== sizeBytesOf(digest)) return false;
      if (!isOpen && (status.mode & readable) === 0) return false;
      if ((await this.#digests.digestOf(file)) !== digest) return false;
      const { store } = this.#options;
      if ((await store.findMissing([digest])).length > 0) await store.put(digest, piecesOf(file));
      return true;
    } catch (error) {
      this.#options.logger.debug(`cannot use ${path}: ${describeError(error)}`);
      return false;
    }
  }

  /** It lies in a folder of the system, all links followed, and everybody may pass the folders above it. */
  async #isForEverybody(place: string): Promise<boolean> {
    const folders = await Promise.all(this.#folders.map((folder) => realpath(folder).catch(() => folder)));
    if (!folders.some((folder) => place.startsWith(`${folder}/`))) return false;
    for (let folder = dirname(place); folder !== "/"; folder = dirname(folder)) {
      if (((await stat(folder)).mode & searchable) === 0) return false;
    }
    return true;
  }

  /** Files by their size, of the sizes in question. */
  async #candidates(
    sizes: ReadonlySet<number>,
    registered: readonly string[],
  ): Promise<ReadonlyMap<number, readonly Candidate[]>> {
    const bySize = new Map<number, Candidate[]>();
    let walked = 0;
    for (const [folder, isOpen] of [
      ...registered.map((one) => [one, true] as const),
      ...this.#folders.map((one) => [one, false] as const),
    ]) {
      for await (const paths of filesBelow(folder)) {
        walked += paths.length;
        if (walked > maxWalkedFiles) return bySize;
        const found = await Promise.all(paths.map((path) => lstat(path).catch(() => undefined)));
        for (const [index, path] of paths.entries()) {
          const size = found[index]?.size ?? -1;
          if (!sizes.has(size)) continue;
          const known = bySize.get(size) ?? [];
          bySize.set(size, known);
          if (known.length < maxCandidates) known.push({ path, isOpen });
        }
      }
    }
    return bySize;
  }
}

interface Candidate {
  readonly path: string;
  /** It lies in a registered folder: whatever its permissions. */
  readonly isOpen: boolean;
}

/** Plain files, some at a time; no link is followed, and a folder that cannot be read has none. */
async function* filesBelow(folder: string): AsyncGenerator<readonly string[], void, undefined> {
  const folders = [folder];
  for (let next = folders.pop(); next !== undefined; next = folders.pop()) {
    const place = next;
    let files: string[] = [];
    try {
      for await (const entry of await opendir(place, { bufferSize: filesInOneGo })) {
        if (entry.isDirectory()) folders.push(join(place, entry.name));
        else if (entry.isFile()) files.push(join(place, entry.name));
        if (files.length < filesInOneGo) continue;
        yield files;
        files = [];
      }
    } catch {
      // Gone meanwhile, or not for us.
    }
    if (files.length > 0) yield files;
  }
}
