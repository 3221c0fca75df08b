import { createReadStream } from "node:fs";
import { mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { hashOf, parseDigest, sizeBytesOf, type Digest } from "./digest.ts";
import { errnoOf } from "./errno.ts";
import type { Content } from "./verified-content.ts";

/** Blobs up to this size are read in one piece, larger ones in pieces of it. */
export const pieceBytes: number = 1 << 20;

/**
 * Where the files of a store lie:
 *
 *     FOLDER/blobs/ab/abcd…-SIZE     a blob: complete, and named by its digest
 *     FOLDER/incoming/N              being written; rubbish after a crash, removed when the store is opened
 *     FOLDER/recency.log             see recencyLog
 *     FOLDER/owners.log              see ownerLog
 *     FOLDER/lock                    see lockStore
 */
export class BlobFiles {
  readonly folder: string;
  #incoming = 0;

  constructor(folder: string) {
    this.folder = folder;
  }

  get recencyLog(): string {
    return join(this.folder, "recency.log");
  }

  get ownerLog(): string {
    return join(this.folder, "owners.log");
  }

  pathOf(digest: Digest): string {
    const hash = hashOf(digest);
    return `${this.folder}/blobs/${hash.slice(0, 2)}/${hash}-${sizeBytesOf(digest)}`;
  }

  /** A path for a new file, on the same file system as the blobs. */
  nextIncoming(): string {
    this.#incoming += 1;
    return `${this.folder}/incoming/${this.#incoming}`;
  }

  /**
   * Makes the folders, unless they are there: a store on a full disk can still be opened. Removes what a crash left
   * in `incoming`. Other users are kept out, because sources are private.
   */
  async prepare(): Promise<void> {
    await makeFolder(this.folder, "blobs");
    await makeFolder(this.folder, "incoming");
    for (const name of await readdir(join(this.folder, "incoming"))) {
      await rm(join(this.folder, "incoming", name), { recursive: true });
    }
  }

  /** The digests of all blobs, by their names alone: 5 µs each, where looking into each file would add 20. */
  async scan(): Promise<Digest[]> {
    const digests: Digest[] = [];
    for (const prefix of await readdir(join(this.folder, "blobs"))) {
      if (!/^[0-9a-f]{2}$/.test(prefix)) continue;
      for (const name of await this.#namesIn(join(this.folder, "blobs", prefix))) {
        const digest = parseDigest(name.replace("-", "/"));
        if (digest?.startsWith(prefix) === true) digests.push(digest);
      }
    }
    return digests;
  }

  /** What is no folder goes: blobs need its place. */
  async #namesIn(folder: string): Promise<string[]> {
    try {
      return await readdir(folder);
    } catch (error) {
      if (errnoOf(error) === "ENOTDIR" || errnoOf(error) === "ELOOP") await rm(folder);
      else if (errnoOf(error) !== "ENOENT") throw error;
      return [];
    }
  }

  /** Moves a finished file to where its blob belongs, replacing a damaged one. */
  async publish(incoming: string, digest: Digest): Promise<void> {
    const path = this.pathOf(digest);
    try {
      await rename(incoming, path);
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw error;
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      await rename(incoming, path);
    }
  }
}

/** What is in the file at `path`, which is known to be of `sizeBytes`. */
export async function readContent(path: string, sizeBytes: number): Promise<Content> {
  if (sizeBytes <= pieceBytes) return [await readFile(path)];
  return createReadStream(path, { highWaterMark: pieceBytes });
}

async function makeFolder(folder: string, name: string): Promise<void> {
  await mkdir(join(folder, name), { recursive: true, mode: 0o700 });
}
