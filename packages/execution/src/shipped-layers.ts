import { chmod, lstat, mkdir, readdir, readFile, rename, statfs, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { BlobStore } from "@homcc/cas/blob-store";
import { type Digest, digestOf, hashOf, parseDigest, sizeBytesOf } from "@homcc/cas/digest";
import { KeyedQueue } from "@homcc/cas/keyed-queue";
import { type ManifestBounds, readManifest } from "@homcc/compiler/manifest-reader";
import type { ToolchainEntry } from "@homcc/compiler/toolchain";
import { type Clock, systemClock } from "@homcc/observability/clock";
import { HomccError } from "@homcc/observability/error";
import type { Logger } from "@homcc/observability/log";
import { removeTree } from "./remove-tree.ts";
import { asLayerError, isIntact, layOutEntries, type ToolchainLayers } from "./toolchain-layer.ts";

export interface ShippedLayersOptions {
  /** Where the layers lie, as `shipped-HASH`; others may lie beside them. */
  readonly folder: string;
  /** Where their manifests lie, as `HASH-SIZE`, and nothing else. */
  readonly manifests: string;
  /** Of all layers together. */
  readonly maxBytes: number;
  /** Stays free on their disk. Default 0. */
  readonly minFreeBytes?: number;
  readonly blobs: Pick<BlobStore, "copyTo" | "pin">;
  readonly bounds: ManifestBounds;
  readonly logger: Logger;
  readonly clock?: Clock;
}

/** A toolchain that stays until this is disposed. */
export interface UsedToolchain extends Disposable {
  readonly digest: Digest;
  readonly entries: readonly ToolchainEntry[];
}

interface Shipped {
  readonly sizeBytes: number;
  /** Its list of files is of another version: only that one uses it, and it goes with the oldest like any other. */
  readonly isForeign: boolean;
  /** Who has brought or used it in the life of this process; see `#makeRoom`. */
  readonly clients: Set<string>;
  /** Jobs that run in it or are about to. */
  holds: number;
  /** When its use was last written down. */
  notedMs: number;
  /** Whether its files are as they should be: asked once in the life of this process. */
  checked: Promise<boolean> | undefined;
}

const layerPrefix = "shipped-";
const arrivingPrefix = "arriving-";
/** A file takes whole blocks, and so does a folder or link. */
const blockBytes = 4096;
/** How exactly the order of use outlives this process. */
const notedEveryMs = 60_000;
/** Of one toolchain; one that more have used belongs to nobody in particular. */
const maxClients = 64;
/** Whose entries are in memory, 1 MB each. */
const maxRemembered = 16;

/**
 * Layers of toolchains that clients sent, made of blobs, each once and complete. The manifest is written last: a layer without one is what
 * a crash left, and removed at the next start. Nothing is synced; so the first use after a start compares every file with its
 * digest (130 MB: 0.1 s), and a damaged layer counts as none. The least recently used go when there are more than
 * `maxBytes`, but none that is held; a client with more than half of that only makes room among its own.
 */
export class ShippedLayers implements ToolchainLayers {
  readonly #options: ShippedLayersOptions;
  readonly #clock: Clock;
  /** Least recently used first. */
  readonly #known = new Map<Digest, Shipped>();
  /** Making a layer and deleting it exclude each other. */
  readonly #changes = new KeyedQueue<Digest>();
  readonly #adding = new Map<Digest, Promise<void>>();
  readonly #entries = new Map<Digest, Promise<readonly ToolchainEntry[]>>();
  #usedBytes = 0;

  static async open(options: ShippedLayersOptions): Promise<ShippedLayers> {
    const layers = new ShippedLayers(options);
    await layers.#load();
    return layers;
  }

  private constructor(options: ShippedLayersOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  has(digest: Digest): boolean {
    return this.#known.get(digest)?.isForeign === false;
  }

  /** Least recently used first. */
  digests(): readonly Digest[] {
    return [...this.#known.keys()].filter((digest) => this.has(digest));
  }

  /** The bytes that `digest` is of; `undefined` where there is no such toolchain. */
  async manifestOf(digest: Digest): Promise<Uint8Array | undefined> {
    if (!this.has(digest)) return undefined;
    return await readFile(this.#manifestFile(digest)).catch(() => undefined);
  }

  async entriesOf(digest: Digest): Promise<readonly ToolchainEntry[]> {
    const known = this.#entries.get(digest) ?? this.#readEntries(digest);
    this.#entries.delete(digest);
    this.#entries.set(digest, known);
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > maxRemembered && oldest !== undefined) this.#entries.delete(oldest);
    known.catch(() => this.#entries.delete(digest));
    return await known;
  }

  /** Where a file of the toolchain lies. */
  fileOf(digest: Digest, path: string): string {
    return this.#layer(digest) + path;
  }

  /** For a job of `client`. `undefined` where there is no such toolchain, or what there was turned out to be damaged. */
  async use(digest: Digest, client?: string): Promise<UsedToolchain | undefined> {
    const shipped = this.#known.get(digest);
    if (shipped === undefined || shipped.isForeign) return undefined;
    if (client !== undefined && shipped.clients.size < maxClients) shipped.clients.add(client);
    const held = this.hold(digest);
    try {
      shipped.checked ??= this.#check(digest);
      if (await shipped.checked) {
        await this.#noteUse(digest, shipped);
        return {
          digest,
          entries: await this.entriesOf(digest),
          [Symbol.dispose]: () => held[Symbol.dispose](),
        };
      }
    } catch (error) {
      held[Symbol.dispose]();
      throw error;
    }
    held[Symbol.dispose]();
    if (this.#known.get(digest) === shipped) await this.#remove(digest, shipped);
    return undefined;
  }

  hold(digest: Digest): Disposable {
    const shipped = this.#known.get(digest);
    if (shipped === undefined) return { [Symbol.dispose]: () => {} };
    shipped.holds += 1;
    let isHeld = true;
    return {
      [Symbol.dispose]: () => {
        if (isHeld) shipped.holds -= 1;
        isHeld = false;
      },
    };
  }

  layerFor(digest: Digest): Promise<string> {
    if (this.has(digest)) return Promise.resolve(this.#layer(digest));
    return Promise.reject(
      new HomccError("ERR_HOMCC_TOOLCHAIN", `the toolchain ${digest} is not here any more`),
    );
  }

  /**
   * Lays the toolchain out; all its files are in the store and pinned. Rejects with ERR_HOMCC_STORE_FULL when there is no room even
   * without all that may go for `client`.
   */
  add(
    digest: Digest,
    manifest: Uint8Array,
    entries: readonly ToolchainEntry[],
    client?: string,
  ): Promise<void> {
    if (this.has(digest)) return Promise.resolve();
    const known = this.#adding.get(digest);
    if (known !== undefined) return known;
    const adding = this.#changes
      .run(digest, () => this.#add(digest, manifest, entries, client))
      .finally(() => this.#adding.delete(digest));
    this.#adding.set(digest, adding);
    return adding;
  }

  async #add(
    digest: Digest,
    manifest: Uint8Array,
    entries: readonly ToolchainEntry[],
    client: string | undefined,
  ): Promise<void> {
    const sizeBytes = layerBytes(entries);
    // At once: two that arrive together must not both take the same room.
    this.#usedBytes += sizeBytes;
    const arriving = join(this.#options.folder, `${arrivingPrefix}${hashOf(digest)}`);
    try {
      await this.#makeRoom(client, sizeBytes);
      await this.#requireFree(sizeBytes);
      await layOutEntries(entries, arriving, (file, path) => this.#copy(file, path));
      await removeTree(this.#layer(digest));
      await rename(arriving, this.#layer(digest));
      const manifestFile = this.#manifestFile(digest);
      await writeFile(`${manifestFile}.new`, manifest);
      await rename(`${manifestFile}.new`, manifestFile);
    } catch (error) {
      this.#usedBytes -= sizeBytes;
      await removeTree(arriving).catch(() => {});
      await removeTree(this.#layer(digest)).catch(() => {});
      throw asLayerError(error);
    }
    this.#known.set(digest, {
      sizeBytes,
      isForeign: false,
      clients: new Set(client === undefined ? [] : [client]),
      holds: 0,
      notedMs: this.#clock.wallMs(),
      checked: Promise.resolve(true),
    });
  }

  async #copy(file: Extract<ToolchainEntry, { kind: "file" }>, path: string): Promise<void> {
    if (!(await this.#options.blobs.copyTo(file.digest, path))) {
      throw new HomccError("ERR_HOMCC_TOOLCHAIN", `${file.path} is not in the store any more`);
    }
    await chmod(path, file.executable ? 0o755 : 0o644);
  }

  /**
   * Removes what nobody has used for the longest time; nothing when that would not be enough. Who would have more than half of all
   * room gets it of what nobody else has used first, and else only of what nobody is known to use: one client, with as many
   * toolchains as it likes, must not send everybody else's away.
   */
  async #makeRoom(client?: string, newBytes = 0): Promise<void> {
    const { maxBytes } = this.#options;
    let leftBytes = this.#usedBytes;
    const victims = new Set<Digest>();
    const take = (mayGo: (shipped: Shipped) => boolean): void => {
      for (const [digest, shipped] of this.#known) {
        if (leftBytes <= maxBytes) return;
        if (shipped.holds > 0 || victims.has(digest) || !mayGo(shipped)) continue;
        victims.add(digest);
        leftBytes -= shipped.sizeBytes;
      }
    };
    if (client !== undefined && this.#bytesOf(client) + newBytes > maxBytes / 2) {
      const isOnlyOf = ({ clients }: Shipped): boolean => clients.size === 1 && clients.has(client);
      take(isOnlyOf);
      const keptBytes = this.#bytesOf(client, victims) + newBytes;
      take(keptBytes > maxBytes / 2 ? ({ clients }) => clients.size === 0 : () => true);
    } else take(() => true);
    if (leftBytes > maxBytes) {
      throw new HomccError("ERR_HOMCC_STORE_FULL", `no room for one more toolchain in ${maxBytes} bytes`, {
        hint: "option toolchain_cache_size of homccd",
      });
    }
    for (const digest of victims) {
      const shipped = this.#known.get(digest);
      if (shipped !== undefined) await this.#remove(digest, shipped);
    }
  }

  /** Of all that `client` has used, without `others`. */
  #bytesOf(client: string, others: ReadonlySet<Digest> = new Set()): number {
    let bytes = 0;
    for (const [digest, { clients, sizeBytes }] of this.#known)
      if (clients.has(client) && !others.has(digest)) bytes += sizeBytes;
    return bytes;
  }

  async #requireFree(sizeBytes: number): Promise<void> {
    const { folder, minFreeBytes = 0 } = this.#options;
    const { bavail, bsize } = await statfs(folder);
    if (bavail * bsize >= sizeBytes + minFreeBytes) return;
    throw new HomccError(
      "ERR_HOMCC_STORE_FULL",
      `no room for a toolchain of ${sizeBytes} bytes on the disk of ${folder}`,
      {
        hint: "make room on that disk, or lower min_free_space",
      },
    );
  }

  async #remove(digest: Digest, shipped: Shipped): Promise<void> {
    if (this.#known.get(digest) !== shipped) return;
    this.#known.delete(digest);
    this.#entries.delete(digest);
    await this.#changes.run(digest, () => this.#delete(digest));
    this.#usedBytes -= shipped.sizeBytes;
    this.#options.logger.info(`removed the shipped toolchain ${hashOf(digest).slice(0, 12)}`);
  }

  /** The manifest goes first: what is left of the layer after a crash is rubbish. */
  async #delete(digest: Digest): Promise<void> {
    await removeTree(this.#manifestFile(digest));
    await removeTree(this.#layer(digest));
  }

  async #noteUse(digest: Digest, shipped: Shipped): Promise<void> {
    if (this.#known.get(digest) !== shipped) return;
    this.#known.delete(digest);
    this.#known.set(digest, shipped);
    const nowMs = this.#clock.wallMs();
    if (Math.abs(nowMs - shipped.notedMs) < notedEveryMs) return;
    shipped.notedMs = nowMs;
    // Only for the order: a disk that takes no writes does not stop jobs.
    await utimes(this.#manifestFile(digest), nowMs / 1000, nowMs / 1000).catch(() => {});
  }

  async #check(digest: Digest): Promise<boolean> {
    const entries = await this.entriesOf(digest).catch(() => undefined);
    if (entries !== undefined && (await isIntact(this.#layer(digest), { entries }))) return true;
    this.#options.logger.warning(`the shipped toolchain ${hashOf(digest).slice(0, 12)} is damaged`);
    return false;
  }

  async #readEntries(digest: Digest): Promise<readonly ToolchainEntry[]> {
    const bytes = await readFile(this.#manifestFile(digest));
    if (digestOf(bytes) !== digest) {
      throw new Error(`the list of files of ${digest} is not what it was`);
    }
    return readManifest(bytes, this.#options.bounds);
  }

  /** What the list says is another matter. */
  async #isWhole(digest: Digest): Promise<boolean> {
    const bytes = await readFile(this.#manifestFile(digest)).catch(() => undefined);
    return bytes !== undefined && digestOf(bytes) === digest;
  }

  async #load(): Promise<void> {
    const { folder, manifests, logger } = this.#options;
    await mkdir(folder, { recursive: true });
    await mkdir(manifests, { recursive: true, mode: 0o700 });
    const layers = new Set(await readdir(folder));
    const found: { digest: Digest; usedMs: number; sizeBytes: number; isForeign: boolean }[] = [];
    for (const name of await readdir(manifests)) {
      const digest = parseDigest(name.replace("-", "/"));
      if (digest === undefined || !layers.delete(`${layerPrefix}${hashOf(digest)}`)) {
        await removeTree(join(manifests, name));
        continue;
      }
      const usedMs = (await lstat(join(manifests, name))).mtimeMs;
      const entries = await this.#readEntries(digest).catch(() => undefined);
      if (entries !== undefined)
        found.push({ digest, usedMs, sizeBytes: layerBytes(entries), isForeign: false });
      else if (await this.#isWhole(digest))
        found.push({ digest, usedMs, sizeBytes: await treeBytes(this.#layer(digest)), isForeign: true });
      // Without a whole list it is rubbish like any other.
      else layers.add(`${layerPrefix}${hashOf(digest)}`);
    }
    const foreign = found.filter(({ isForeign }) => isForeign);
    if (foreign.length > 0)
      logger.info(`${foreign.length} toolchains that another version was sent are kept, and not used`);
    for (const name of layers) {
      if (name.startsWith(layerPrefix) || name.startsWith(arrivingPrefix))
        await removeTree(join(folder, name));
    }
    for (const { digest, usedMs, sizeBytes, isForeign } of found.toSorted(
      (one, other) => one.usedMs - other.usedMs,
    )) {
      this.#known.set(digest, {
        sizeBytes,
        isForeign,
        clients: new Set(),
        holds: 0,
        notedMs: usedMs,
        checked: undefined,
      });
      this.#usedBytes += sizeBytes;
    }
    // The bound may be a smaller one by now.
    await this.#makeRoom().catch(() => {});
  }

  #layer(digest: Digest): string {
    return join(this.#options.folder, `${layerPrefix}${hashOf(digest)}`);
  }

  #manifestFile(digest: Digest): string {
    return join(this.#options.manifests, `${hashOf(digest)}-${sizeBytesOf(digest)}`);
  }
}

function layerBytes(entries: readonly ToolchainEntry[]): number {
  return entries.reduce((sum, entry) => {
    const bytes = entry.kind === "file" ? sizeBytesOf(entry.digest) : 1;
    return sum + Math.ceil(bytes / blockBytes) * blockBytes;
  }, 0);
}

/** The same of what lies there. */
async function treeBytes(folder: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(folder, { recursive: true })) {
    const stats = await lstat(join(folder, name));
    bytes += Math.ceil((stats.isFile() ? stats.size : 1) / blockBytes) * blockBytes;
  }
  return bytes;
}
