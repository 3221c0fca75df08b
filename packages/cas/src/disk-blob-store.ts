import { constants } from "node:fs";
import {
  copyFile,
  mkdir,
  open,
  rm,
  stat,
  statfs,
  unlink,
  writeFile,
  type FileHandle,
} from "node:fs/promises";
import { dirname } from "node:path";
import { describeError, hasCode, HomccError } from "@homcc/observability/error";
import { silentLogger, type Logger } from "@homcc/observability/log";
import { BlobFiles, pieceBytes, readContent } from "./blob-files.ts";
import type { BlobStore, Pin } from "./blob-store.ts";
import type { BlobLog } from "./blob-log.ts";
import { chargeOf } from "./charge.ts";
import { digestOf, emptyDigest, sizeBytesOf, type Digest } from "./digest.ts";
import { diskFull, fill, makingRoom, type WriteStep } from "./disk-room.ts";
import { errnoOf, isDiskFull } from "./errno.ts";
import { KeyedQueue } from "./keyed-queue.ts";
import { LruIndex, type Reservation } from "./lru-index.ts";
import { ownerLog, readOwners } from "./owner-log.ts";
import { readKnown } from "./read-known.ts";
import { readRecency, recencyLog } from "./recency-log.ts";
import { StorageAccounts } from "./storage-accounts.ts";
import { lockStore, type StoreLock } from "./store-lock.ts";
import { collect, drain, mismatch, verified, type Content } from "./verified-content.ts";

export interface DiskBlobStoreOptions {
  /** Created if need be, with mode 0700. One process at a time. */
  readonly folder: string;
  /** Bound for all blobs together, each counted in whole blocks of 4096 bytes. */
  readonly maxBytes: number;
  /** A new blob that leaves less room on the disk evicts others, or is not taken when they are too small. Default 0. */
  readonly minFreeBytes?: number;
  /**
   * A client with more loses its own blobs before others lose theirs; nothing goes while there is room. Asked each time.
   * Default: none has a limit.
   */
  readonly maxBytesPerClient?: () => number;
  readonly logger?: Logger;
}

/** What the store remembers of a blob: the file's change time when its content was last known to be right. */
type VerifiedAtMs = number;
/** Its content was not looked at since the store was opened. */
const unverified: VerifiedAtMs = -1;

const copyFlags = constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE;
/** Files deleted at once, so that evicting thousands leaves the thread pool room for other work. */
const unlinksAtOnce = 32;

/**
 * Blobs as files, least recently used ones evicted. The files are the truth: the index is their names, read when the
 * store is opened, so nothing can disagree with them after a crash.
 *
 * What each step survives: a blob is written to `incoming`, checked and renamed, so a killed process leaves only
 * complete blobs. Nothing is synced: after a power cut a file may be empty or have holes, and a disk may rot, so
 * content is never trusted by name. `read` hashes what it returns. `copyTo` compares size and change time and hashes
 * when either is news: once per blob after a restart (8 µs for 10 kB), and whenever somebody wrote into the file.
 * A damaged blob is deleted and counts as missing.
 */
export class DiskBlobStore implements BlobStore, AsyncDisposable {
  readonly #files: BlobFiles;
  readonly #lock: StoreLock;
  readonly #logger: Logger;
  readonly #minFreeBytes: number;
  readonly #index: LruIndex<VerifiedAtMs>;
  readonly #recency: BlobLog;
  readonly #owners: BlobLog;
  /** Renaming a blob into place and deleting it exclude each other. */
  readonly #changes = new KeyedQueue<Digest>();

  /** Rejects with ERR_HOMCC_CONFIGURATION when another process uses the folder. */
  static async open(options: DiskBlobStoreOptions): Promise<DiskBlobStore> {
    await mkdir(options.folder, { recursive: true, mode: 0o700 });
    const lock = await lockStore(options.folder);
    try {
      const store = new DiskBlobStore(options, lock);
      await store.#load();
      return store;
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  private constructor(options: DiskBlobStoreOptions, lock: StoreLock) {
    this.#files = new BlobFiles(options.folder);
    this.#lock = lock;
    this.#logger = options.logger ?? silentLogger;
    this.#minFreeBytes = options.minFreeBytes ?? 0;
    const { maxBytes, maxBytesPerClient } = options;
    const accounts = new StorageAccounts({
      ...(maxBytesPerClient === undefined ? {} : { maxBytesPerClient }),
      onCount: (digest) => this.#owners.note(digest),
    });
    this.#index = new LruIndex(maxBytes, { onUse: (digest) => this.#recency.note(digest), accounts });
    this.#recency = recencyLog(this.#files.recencyLog, this.#index);
    this.#owners = ownerLog(this.#files.ownerLog, accounts);
  }

  get usage(): { readonly blobs: number; readonly usedBytes: number; readonly maxBytes: number } {
    return { blobs: this.#index.size, usedBytes: this.#index.usedBytes, maxBytes: this.#index.maxBytes };
  }

  findMissing(digests: Iterable<Digest>): Promise<Digest[]> {
    return Promise.resolve(this.#index.findMissing(digests));
  }

  /** At once, and no use of it. */
  has(digest: Digest): boolean {
    return digest === emptyDigest || this.#index.has(digest);
  }

  async put(digest: Digest, content: Content, client?: string): Promise<void> {
    if (digest === emptyDigest || this.#index.touch(digest)) await drain(digest, content);
    else await this.#write(digest, verified(digest, content), client);
    if (client !== undefined) this.countFor(client, digest);
  }

  async putHashed(digest: Digest, bytes: Uint8Array, client?: string): Promise<void> {
    if (bytes.byteLength !== sizeBytesOf(digest)) throw mismatch(digest, `${bytes.byteLength} bytes`);
    if (digest !== emptyDigest && !this.#index.touch(digest)) await this.#write(digest, [bytes], client);
    if (client !== undefined) this.countFor(client, digest);
  }

  /** `client` has brought or shown it, or it was made for it; see StorageAccounts. Nothing when it is not held. */
  countFor(client: string, digest: Digest): void {
    this.#index.countFor(client, digest);
  }

  /** For whom anything counts. */
  clients(): readonly string[] {
    return this.#index.accounts.clients();
  }

  /** Of all that counts for `client`. */
  bytesOf(client: string): number {
    return this.#index.accounts.bytesOf(client);
  }

  /** `content` throws when it is not what `digest` says. */
  async #write(digest: Digest, content: Content, client: string | undefined): Promise<void> {
    const reservation = this.#index.reserve(digest, client);
    const incoming = this.#files.nextIncoming();
    try {
      await this.#keepFree(chargeOf(digest), client);
      const step = this.#makingRoomFor(digest, client);
      await using file = await step(() => open(incoming, "wx", 0o644));
      await fill(file, this.#evictingFor(reservation, content), step);
      await step(() =>
        this.#changes.run(digest, () => this.#publish(digest, file, incoming, reservation, client)),
      );
    } catch (error) {
      await rm(incoming, { force: true });
      throw error;
    } finally {
      reservation.release();
    }
  }

  async read(digest: Digest): Promise<Uint8Array | undefined> {
    if (digest === emptyDigest) return new Uint8Array();
    return this.#use(digest, (path) => asDamage(digest, () => readVerified(digest, path)));
  }

  async copyTo(digest: Digest, path: string): Promise<boolean> {
    if (digest === emptyDigest) {
      await writeFile(path, "", { flag: "wx", mode: 0o644 });
      return true;
    }
    const copied = await this.#use(digest, async (blob) => {
      await this.#verifyNews(digest, blob);
      await this.#copy(digest, blob, path);
      return true;
    });
    return copied ?? false;
  }

  fileOf(digest: Digest): Promise<string | undefined> {
    if (digest === emptyDigest) return Promise.resolve(undefined);
    return this.#use(digest, async (blob) => {
      await this.#verifyNews(digest, blob);
      return blob;
    });
  }

  pin(digests: Iterable<Digest>): Pin {
    return this.#index.pin(digests);
  }

  /** Writes the order of use and gives the folder free. Call it when no other method is under way. */
  async close(): Promise<void> {
    await this.#recency.close();
    await this.#owners.close();
    await this.#lock.release();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #load(): Promise<void> {
    await this.#files.prepare();
    const held = new Set(await this.#files.scan());
    const logged = await readRecency(this.#files.recencyLog, this.#logger);
    for (const digest of logged) if (held.has(digest)) this.#index.set(digest, unverified);
    // Blobs that came after the log was last written are in no line of it: they are the newest.
    for (const digest of held) if (!logged.has(digest)) this.#index.set(digest, unverified);
    const owners = await readOwners(this.#files.ownerLog, this.#logger);
    for (const digest of this.#index.digests()) {
      const client = owners.get(digest);
      if (client !== undefined) this.countFor(client, digest);
    }
    await this.#remove(this.#index.evict(this.#index.usedBytes - this.#index.maxBytes));
    await this.#recency.flush();
    await this.#owners.flush();
  }

  /** Gives `task` the blob's file. A blob that turns out to be damaged or gone is dropped: `undefined`. */
  async #use<Result>(digest: Digest, task: (path: string) => Promise<Result>): Promise<Result | undefined> {
    const path = this.#files.pathOf(digest);
    while (this.#index.touch(digest)) {
      const before = this.#index.get(digest);
      try {
        return await task(path);
      } catch (error) {
        if (!isDamage(error)) throw error;
        // Else somebody has put it anew meanwhile: look again.
        if (this.#index.get(digest) === before) await this.#drop(digest, error);
      }
    }
    return undefined;
  }

  /** Looks into the file unless it is as it was when it was right. */
  async #verifyNews(digest: Digest, path: string): Promise<void> {
    await asDamage(digest, async () => {
      const { size, ctimeMs } = await stat(path);
      if (size !== sizeBytesOf(digest)) throw mismatch(digest, `${size} bytes`);
      if (this.#index.get(digest) === ctimeMs) return;
      await drain(digest, await readContent(path, sizeBytesOf(digest)));
      if (this.#index.has(digest)) this.#index.set(digest, ctimeMs);
    });
  }

  async #copy(digest: Digest, blob: string, path: string): Promise<void> {
    const copy = (): Promise<void> => copyFile(blob, path, copyFlags);
    try {
      await copy();
    } catch (error) {
      if (errnoOf(error) === "ENOENT") {
        // Throws ENOENT as well when it is the blob that is gone; else the folder of `path` is.
        await stat(blob);
        throw new Error(`there is no folder for ${path}`, { cause: error });
      }
      if (!isDiskFull(error)) throw error;
      if (!(await this.#sharesDiskWith(dirname(path)))) throw diskFull(dirname(path), error);
      await this.#makingRoomFor(digest)(copy);
    }
  }

  /** Yields `content` as there is room for it below the bound. */
  async *#evictingFor(reservation: Reservation, content: Content): AsyncGenerator<Uint8Array, void, void> {
    for await (const chunk of content) {
      await this.#remove(reservation.grow(chunk.byteLength));
      yield chunk;
    }
  }

  /** Moves a finished file to its place, where it counts as held. */
  async #publish(
    digest: Digest,
    file: FileHandle,
    incoming: string,
    reservation: Reservation,
    client: string | undefined,
  ): Promise<void> {
    await this.#files.publish(incoming, digest);
    const { ctimeMs } = await file.stat();
    reservation.release();
    this.#index.set(digest, ctimeMs);
    if (client !== undefined) this.countFor(client, digest);
  }

  async #drop(digest: Digest, reason: unknown): Promise<void> {
    this.#logger.warning(`dropped a damaged blob: ${describeError(reason)}`);
    this.#index.delete(digest);
    await this.#remove([digest]);
  }

  /** Deletes the files of blobs that are no longer in the index, unless they came back meanwhile. */
  async #remove(digests: readonly Digest[]): Promise<void> {
    for (let start = 0; start < digests.length; start += unlinksAtOnce) {
      const some = digests.slice(start, start + unlinksAtOnce);
      await Promise.all(
        some.map((digest) => this.#changes.run(digest, () => this.#unlinkUnlessHeld(digest))),
      );
    }
  }

  async #unlinkUnlessHeld(digest: Digest): Promise<void> {
    if (this.#index.has(digest)) return;
    try {
      await unlink(this.#files.pathOf(digest)).catch(async (error: unknown) => {
        if (errnoOf(error) !== "EISDIR") throw error;
        await rm(this.#files.pathOf(digest), { recursive: true });
      });
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") this.#logger.warning(`cannot delete a blob: ${describeError(error)}`);
    }
  }

  /** Evicts what a blob of `newBytes` lacks of `minFreeBytes`; nothing when that would not be enough. */
  async #keepFree(newBytes: number, client: string | undefined): Promise<void> {
    if (this.#minFreeBytes === 0) return;
    const { bavail, bsize } = await statfs(this.#files.folder);
    const shortBytes = this.#minFreeBytes + newBytes - bavail * bsize;
    if (shortBytes <= 0) return;
    const victims = shortBytes <= this.#index.usedBytes ? this.#index.evict(shortBytes, client) : [];
    await this.#remove(victims);
    if (victims.reduce((sum, digest) => sum + chargeOf(digest), 0) >= shortBytes) return;
    throw new HomccError(
      "ERR_HOMCC_STORE_FULL",
      `${bavail * bsize} bytes are free on the disk of ${this.#files.folder}; ${this.#minFreeBytes} stay free`,
      { hint: "make room on that disk, or lower min_free_space" },
    );
  }

  /** For a full disk: evicts twice the size of the blob that did not fit, or 1/16 of the store. */
  #makingRoomFor(digest: Digest, client?: string): WriteStep {
    return makingRoom(this.#files.folder, async () => {
      const bytes = Math.max(2 * chargeOf(digest), this.#index.usedBytes / 16);
      const victims = this.#index.evict(bytes, client);
      await this.#remove(victims);
      return victims.length > 0;
    });
  }

  async #sharesDiskWith(folder: string): Promise<boolean> {
    const [ours, theirs] = await Promise.all([stat(this.#files.folder), stat(folder)]);
    return ours.dev === theirs.dev;
  }
}

/** Large ones in pieces, so that hashing does not hold up the event loop. */
async function readVerified(digest: Digest, path: string): Promise<Uint8Array> {
  const sizeBytes = sizeBytesOf(digest);
  if (sizeBytes > pieceBytes) return await collect(digest, await readContent(path, sizeBytes));
  const bytes = await readKnown(path, sizeBytes);
  const found = digestOf(bytes);
  if (found !== digest) throw mismatch(digest, found);
  return bytes;
}

/** Something else lies in the blob's place, or a file that may not be read. */
const noFile = new Set(["EISDIR", "ENOTDIR", "ELOOP", "EACCES", "EPERM"]);

async function asDamage<Result>(digest: Digest, look: () => Promise<Result>): Promise<Result> {
  try {
    return await look();
  } catch (error) {
    throw noFile.has(errnoOf(error) ?? "") ? mismatch(digest, describeError(error)) : error;
  }
}

/** The file is gone, unreadable, or not what its name says. */
function isDamage(error: unknown): boolean {
  return (
    hasCode(error, "ERR_HOMCC_DIGEST_MISMATCH") || errnoOf(error) === "ENOENT" || errnoOf(error) === "EIO"
  );
}
