import { promisify } from "node:util";
import { constants, zstdCompress, zstdDecompress, type ZstdOptions } from "node:zlib";
import { type Digest, sizeBytesOf } from "@homcc/cas/digest";
import { inTurn } from "@homcc/protocol/compression";
import { maxBlobDeltaBytes } from "@homcc/protocol/limits";

/** Kept compressed: a third to a quarter: the sources of some 10,000 files. */
const defaultMaxBytes = 32 << 20;
const idleMaxBytes = 2 << 20;

/** The newest of them are not compressed: most agents of one call, and most edits, end before there are more. */
const defaultMaxPlainBytes = 4 << 20;

/** Below this a file is sent whole in one packet anyway, and naming the earlier contents takes 50 bytes. */
const minBytes = 512;

/** Servers differ in which version they saw last. */
const versionsPerPath = 3;

/** What a file costs to keep besides its bytes: objects, path and digest. */
const overheadBytes = 640;

interface KeptContent {
  readonly path: string;
  readonly state: { readonly kind: "plain" | "packed"; readonly bytes: Uint8Array };
}

/** The earlier contents of a file, for telling a server what changed. */
export interface BaseContent {
  readonly digest: Digest;
  read(): Promise<Uint8Array>;
}

/**
 * Contents of files as they were read, so that after an edit only what changed has to be sent: the file itself does not have
 * them any more. In memory, those not used for longest go first. Keeping 10 kB costs 50 µs in the thread pool, once.
 */
export class RecentContents {
  readonly #maxBytes: number;
  readonly #maxPlainBytes: number;
  /** Oldest use first. */
  readonly #kept = new Map<Digest, KeptContent>();
  /** Newest first. */
  readonly #versions = new Map<string, readonly Digest[]>();
  /** Those that are not to be compressed yet, oldest first. */
  readonly #plain = new Map<Digest, Uint8Array>();
  #plainBytes = 0;
  #usedBytes = 0;

  constructor(maxBytes: number = defaultMaxBytes, maxPlainBytes: number = defaultMaxPlainBytes) {
    this.#maxBytes = maxBytes;
    this.#maxPlainBytes = maxPlainBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Whether contents of this size are kept and told by earlier ones. */
  takes(digest: Digest): boolean {
    const sizeBytes = sizeBytesOf(digest);
    return sizeBytes >= minBytes && sizeBytes <= maxBlobDeltaBytes;
  }

  /** These bytes of `digest` were read from `path`. */
  keep(path: string, digest: Digest, bytes: Uint8Array): void {
    if (!this.takes(digest)) return;
    if (this.#kept.has(digest)) {
      this.#use(digest);
      // The file has its earlier contents again: they are the newest now. Equal contents are kept for one path.
      if (this.#kept.get(digest)?.path === path) this.#putFirst(path, digest);
      return;
    }
    this.#set(digest, { path, state: { kind: "plain", bytes } });
    this.#putFirst(path, digest);
    for (const old of (this.#versions.get(path) ?? []).slice(versionsPerPath)) this.#forget(old);
    this.#makeRoom();
    this.#plain.set(digest, bytes);
    this.#plainBytes += bytes.byteLength;
    for (const [oldest, plain] of this.#plain) {
      if (this.#plainBytes <= this.#maxPlainBytes) break;
      this.#noLongerPlain(oldest);
      void this.#pack(oldest, plain);
    }
  }

  /** Contents of `path` before it had those of `digest`: of those that `isThere` the newest, else the newest. */
  baseOf(path: string, digest: Digest, isThere: (digest: Digest) => boolean): BaseContent | undefined {
    if (!this.takes(digest)) return undefined;
    const earlier = (this.#versions.get(path) ?? []).filter((version) => version !== digest);
    const base = earlier.find(isThere) ?? earlier[0];
    const content = base === undefined ? undefined : this.#kept.get(base);
    if (base === undefined || content === undefined) return undefined;
    this.#use(base);
    const { kind, bytes } = content.state;
    return {
      digest: base,
      read: async () =>
        kind === "plain" ? bytes : await decompress(bytes, { maxOutputLength: sizeBytesOf(base) }),
    };
  }

  async #pack(digest: Digest, bytes: Uint8Array): Promise<void> {
    // A copy: zlib's results lie in buffers of 16 KiB or more, which would be kept with them.
    const packed = new Uint8Array(await inTurn(() => compress(bytes, packingOptions(bytes.byteLength))));
    const content = this.#kept.get(digest);
    // Forgotten meanwhile, or nothing is gained.
    if (content?.state.bytes !== bytes || packed.byteLength >= bytes.byteLength) return;
    this.#usedBytes -= costOf(content);
    this.#set(digest, { path: content.path, state: { kind: "packed", bytes: packed } });
  }

  #noLongerPlain(digest: Digest): void {
    this.#plainBytes -= this.#plain.get(digest)?.byteLength ?? 0;
    this.#plain.delete(digest);
  }

  #set(digest: Digest, content: KeptContent): void {
    this.#kept.set(digest, content);
    this.#usedBytes += costOf(content);
  }

  #putFirst(path: string, digest: Digest): void {
    const others = (this.#versions.get(path) ?? []).filter((version) => version !== digest);
    this.#versions.set(path, [digest, ...others]);
  }

  #use(digest: Digest): void {
    const content = this.#kept.get(digest);
    if (content === undefined) return;
    this.#kept.delete(digest);
    this.#kept.set(digest, content);
  }

  /** For an idle agent: keeps the newest few. */
  release(): void {
    this.#makeRoom(idleMaxBytes);
  }

  #makeRoom(maxBytes = this.#maxBytes): void {
    for (const oldest of this.#kept.keys()) {
      if (this.#usedBytes <= maxBytes) break;
      this.#forget(oldest);
    }
  }

  #forget(digest: Digest): void {
    const content = this.#kept.get(digest);
    if (content === undefined) return;
    this.#kept.delete(digest);
    this.#noLongerPlain(digest);
    this.#usedBytes -= costOf(content);
    const left = (this.#versions.get(content.path) ?? []).filter((version) => version !== digest);
    if (left.length > 0) this.#versions.set(content.path, left);
    else this.#versions.delete(content.path);
  }
}

function costOf({ state }: KeptContent): number {
  return state.bytes.byteLength + overheadBytes;
}

const compress = promisify<Uint8Array, ZstdOptions, Buffer>(zstdCompress);
const decompress = promisify<Uint8Array, ZstdOptions, Buffer>(zstdDecompress);

function packingOptions(sizeBytes: number): ZstdOptions & { pledgedSrcSize: number } {
  return { pledgedSrcSize: sizeBytes, params: { [constants.ZSTD_c_compressionLevel]: 1 } };
}
