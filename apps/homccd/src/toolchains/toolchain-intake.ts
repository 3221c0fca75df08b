import { basename } from "node:path";
import type { BlobStore } from "@homcc/cas/blob-store";
import { type Digest, sizeBytesOf } from "@homcc/cas/digest";
import { piecesOf } from "@homcc/cas/file-digests";
import { contentBytes, contentsOf, type ManifestBounds, readManifest } from "@homcc/compiler/manifest-reader";
import { driverNames } from "@homcc/compiler/server-check";
import type { ToolchainEntry } from "@homcc/compiler/toolchain";
import type { ToolchainChoice } from "@homcc/config/values";
import type { ShippedLayers, UsedToolchain } from "@homcc/execution/shipped-layers";
import { describeError, hasCode } from "@homcc/observability/error";
import type { Logger } from "@homcc/observability/log";
import {
  maxFilePieceBytes,
  maxManifestBytes,
  maxPathLength,
  maxProvenDigests,
  maxToolchainEntries,
} from "@homcc/protocol/limits";
import type { ClientMessage, JobMessage, RefusedMessage, ServerMessage } from "@homcc/protocol/messages";
import { open } from "node:fs/promises";
import { Refusal } from "../job-refusal.ts";
import type { AskForProof, Possession } from "../possession.ts";
import { inTurn, proveContents, storedContent } from "./content-proof.ts";
import type { HomeFiles, WantedFile } from "./home-files.ts";

export interface ToolchainShipping {
  readonly layers: ShippedLayers;
  readonly home: Pick<HomeFiles, "find">;
  /** Folders that the administrator has named. */
  readonly registered: () => Promise<readonly string[]>;
  readonly choice: ToolchainChoice;
  /** Of one toolchain. */
  readonly maxBytes: number;
  /** Of the store, in which all of a toolchain has to be at once. */
  readonly storeBytes: number;
  readonly store: BlobStore;
  readonly logger: Logger;
}

export type IntakeAnswer = Extract<ServerMessage, { kind: "missing" | "stored" | "refused" }>;
/** What a blob takes of the store at least. */
const blockBytes = 4096;

type Offered = JobMessage["toolchain"];

export const manifestBounds: ManifestBounds = {
  maxBytes: maxManifestBytes,
  maxEntries: maxToolchainEntries,
  maxPathLength,
};

/** What one client may have run that this server does not have itself, and how it gets here. */
export class ToolchainIntake {
  readonly #shipping: ToolchainShipping;
  readonly #possession: Possession;
  readonly #client: string;

  /** `client`: for whom it counts what comes. */
  constructor(shipping: ToolchainShipping, possession: Possession, client: string) {
    this.#shipping = shipping;
    this.#possession = possession;
    this.#client = client;
  }

  /** For a job of this client, if it has shown that it has the toolchain, and all of it is here. */
  async use(named: Offered): Promise<UsedToolchain | undefined> {
    if (!this.#possession.isProven(named.digest)) return undefined;
    const used = await this.#shipping.layers.use(named.digest, this.#client);
    if (used === undefined) return undefined;
    try {
      // Each job says anew what it takes the toolchain for.
      requireCompiler(named);
      requireDriver(used.entries, named);
      return used;
    } catch (error) {
      used[Symbol.dispose]();
      throw error;
    }
  }

  /** Whether a client with a toolchain that is not here may have it taken. */
  async takesSome(): Promise<boolean> {
    return this.#shipping.choice === "shipped" || (await this.#shipping.registered()).length > 0;
  }

  /** Rejects when the connection ends meanwhile. */
  async offered(
    { toolchain }: Extract<ClientMessage, { kind: "toolchain" }>,
    ask: AskForProof,
  ): Promise<IntakeAnswer> {
    return await answering(() => this.#take(toolchain, ask));
  }

  /** The pieces of a file become the file. */
  async pieces(message: Extract<ClientMessage, { kind: "pieces" }>, ask: AskForProof): Promise<IntakeAnswer> {
    return await answering(() => this.#join(message.digest, message.pieces, ask));
  }

  async #take(offered: Offered, ask: AskForProof): Promise<IntakeAnswer> {
    const { layers, store, maxBytes } = this.#shipping;
    const { digest } = offered;
    requireCompiler(offered);
    const manifest = await this.#manifest(digest, ask);
    if (manifest === undefined) return { kind: "missing", digests: [digest] };
    {
      using known = await layers.use(digest, this.#client);
      if (known !== undefined) return { kind: "stored" };
    }
    const entries = entriesOf(manifest, offered);
    const sizeBytes = contentBytes(entries);
    if (sizeBytes > maxBytes) {
      const text = `the toolchain has ${megabytes(sizeBytes)}, and at most ${megabytes(maxBytes)} are taken`;
      throw notTaken(text, "option max_toolchain_size of homccd");
    }
    const contents = contentsOf(entries);
    requireRoom(contents, this.#shipping.storeBytes);
    const pin = store.pin(contents);
    try {
      const missing = await this.#complete(entries, contents, ask);
      if (missing.length > 0) return { kind: "missing", digests: missing };
      const startedMs = performance.now();
      try {
        await inTurn(() => layers.add(digest, manifest, entries, this.#client));
      } catch (error) {
        // A blob turned out to be damaged, and is gone now.
        const gone = hasCode(error, "ERR_HOMCC_TOOLCHAIN") ? await store.findMissing(contents) : [];
        if (gone.length === 0) throw error;
        return { kind: "missing", digests: gone };
      }
      this.#shipping.logger.info(
        `toolchain ${offered.version} (${digest.slice(0, 12)}): ${contents.length} files, ${megabytes(sizeBytes)}, laid out in ${Math.round(performance.now() - startedMs)} ms`,
      );
      return { kind: "stored" };
    } finally {
      pin.release();
    }
  }

  /** `undefined`: the client has to send it, as a blob. */
  async #manifest(digest: Digest, ask: AskForProof): Promise<Uint8Array | undefined> {
    const { layers, store } = this.#shipping;
    if (sizeBytesOf(digest) > maxManifestBytes) throw badJob(`a manifest of ${sizeBytesOf(digest)} bytes`);
    const manifest = (await layers.manifestOf(digest)) ?? (await store.read(digest));
    if (manifest === undefined || this.#possession.isProven(digest)) return manifest;
    const proven = await proveContents([digest], () => Promise.resolve([manifest]), ask);
    if (proven.length === 0) return undefined;
    this.#possession.note(digest);
    return manifest;
  }

  /** Gives what the client has to send: not here, or somebody else's without a proof. */
  async #complete(
    entries: readonly ToolchainEntry[],
    contents: readonly Digest[],
    ask: AskForProof,
  ): Promise<readonly Digest[]> {
    const { store, home, choice } = this.#shipping;
    const isUnproven = (digest: Digest): boolean => !this.#possession.isProven(digest);
    const gone = new Set(await store.findMissing(contents));
    const isOpen = (digest: Digest): boolean => choice === "own" || gone.has(digest) || isUnproven(digest);
    const wanted = entries.flatMap((entry): WantedFile[] =>
      entry.kind === "file" && isOpen(entry.digest) ? [{ path: entry.path, digest: entry.digest }] : [],
    );
    const found = wanted.length === 0 ? new Set<Digest>() : await inTurn(() => home.find(wanted));
    if (choice === "own") requireOwn(contents.filter((digest) => !found.has(digest)));
    for (const digest of found) this.#possession.note(digest);
    const absent = contents.filter((digest) => gone.has(digest) && !found.has(digest));
    if (absent.length > 0) await inTurn(() => this.#restore(absent));
    const missing = new Set(await store.findMissing(contents));
    const provable = contents.filter((digest) => !missing.has(digest) && isUnproven(digest));
    for (let start = 0; start < provable.length; start += maxProvenDigests) {
      const some = provable.slice(start, start + maxProvenDigests);
      const proven = await proveContents(some, (digest) => storedContent(store, digest), ask);
      for (const digest of proven) this.#possession.note(digest);
    }
    return contents.filter((digest) => missing.has(digest) || isUnproven(digest));
  }

  /** From the layers of other toolchains; whose they are has to be shown like of any blob. */
  async #restore(digests: readonly Digest[]): Promise<void> {
    const { layers, store } = this.#shipping;
    const wanted = new Set(digests);
    for (const other of layers.digests()) {
      if (wanted.size === 0) return;
      using _held = layers.hold(other);
      for (const entry of await layers.entriesOf(other).catch(() => [])) {
        if (entry.kind !== "file" || !wanted.delete(entry.digest)) continue;
        try {
          await using file = await open(layers.fileOf(other, entry.path), "r");
          await store.put(entry.digest, piecesOf(file), this.#client);
        } catch (error) {
          this.#shipping.logger.debug(`${entry.path} of another toolchain: ${describeError(error)}`);
        }
      }
    }
  }

  async #join(digest: Digest, pieces: readonly Digest[], ask: AskForProof): Promise<IntakeAnswer> {
    const { store, choice, maxBytes } = this.#shipping;
    if (choice === "own")
      throw notTaken("this server takes no files of compilers", "option toolchains of homccd");
    const sizeBytes = pieces.reduce((sum, piece) => sum + sizeBytesOf(piece), 0);
    if (sizeBytes !== sizeBytesOf(digest)) throw badJob(`${sizeBytes} bytes in the pieces of ${digest}`);
    if (sizeBytes > maxBytes)
      throw notTaken(`a file of ${megabytes(sizeBytes)}`, "option max_toolchain_size of homccd");
    if (pieces.some((piece) => sizeBytesOf(piece) > maxFilePieceBytes))
      throw badJob("a piece that is too long");
    const pin = store.pin([digest, ...pieces]);
    try {
      if (await this.#has([digest], ask)) return { kind: "stored" };
      const missing = await this.#lacking(pieces, ask);
      if (missing.length > 0) return { kind: "missing", digests: [...missing] };
      await inTurn(() => store.put(digest, contentOf(pieces, store), this.#client));
      this.#possession.note(digest);
      return { kind: "stored" };
    } finally {
      pin.release();
    }
  }

  async #has(digests: readonly Digest[], ask: AskForProof): Promise<boolean> {
    return (await this.#lacking(digests, ask)).length === 0;
  }

  async #lacking(digests: readonly Digest[], ask: AskForProof): Promise<readonly Digest[]> {
    const { store } = this.#shipping;
    const all = [...new Set(digests)];
    const gone = new Set(await store.findMissing(all));
    const provable = all.filter((digest) => !gone.has(digest) && !this.#possession.isProven(digest));
    if (provable.length > 0) {
      const proven = await proveContents(provable, (digest) => storedContent(store, digest), ask);
      for (const digest of proven) this.#possession.note(digest);
    }
    return all.filter((digest) => gone.has(digest) || !this.#possession.isProven(digest));
  }
}

async function* contentOf(
  pieces: readonly Digest[],
  store: Pick<BlobStore, "read">,
): AsyncGenerator<Uint8Array, void, undefined> {
  for (const piece of pieces) {
    const bytes = await store.read(piece);
    // It was there a moment ago, and is pinned: it was damaged. The client is told when it asks again.
    if (bytes === undefined) throw new Refusal({ reason: "input-changed", message: `${piece} was damaged` });
    yield bytes;
  }
}

/** What becomes of a question is an answer, but for the end of its connection. */
async function answering(answer: () => Promise<IntakeAnswer>): Promise<IntakeAnswer> {
  try {
    return await answer();
  } catch (error) {
    const refused = refusalFor(error);
    if (refused === undefined) throw error;
    return { kind: "refused", ...refused };
  }
}

function refusalFor(error: unknown): Omit<RefusedMessage, "kind"> | undefined {
  if (error instanceof Refusal) return error.refused;
  if (hasCode(error, "ERR_HOMCC_CONNECTION_LOST")) return undefined;
  const message = describeError(error);
  if (hasCode(error, "ERR_HOMCC_PROTOCOL")) return { reason: "bad-job", message };
  if (hasCode(error, "ERR_HOMCC_STORE_FULL")) return { reason: "server-full", message };
  if (hasCode(error, "ERR_HOMCC_DIGEST_MISMATCH")) return { reason: "input-changed", message };
  return { reason: "executor-failed", message };
}

/** The option table that a job's command is checked with is the family's: it may not be another's. */
function requireCompiler({ driver, family }: Offered): void {
  const name = basename(driver);
  if (!driverNames.test(name)) throw notTaken(`${driver} is not called like a compiler`);
  if (/clang/.test(name) !== (family === "clang")) throw badJob(`${driver} is not called like a ${family}`);
}

function entriesOf(manifest: Uint8Array, offered: Offered): readonly ToolchainEntry[] {
  const entries = readManifest(manifest, manifestBounds);
  requireDriver(entries, offered);
  return entries;
}

function requireDriver(entries: readonly ToolchainEntry[], { driver }: Offered): void {
  const isDriver = (entry: ToolchainEntry): boolean =>
    entry.path === driver && (entry.kind === "symlink" || (entry.kind === "file" && entry.executable));
  if (!entries.some(isDriver)) throw badJob(`${driver} is not among the toolchain's programs`);
}

/** With the pieces of the largest file beside it. Otherwise all of it would be sent, and forgotten, again and again. */
function requireRoom(contents: readonly Digest[], storeBytes: number): void {
  const sizes = contents.map(sizeBytesOf);
  const neededBytes = sizes.reduce((sum, size) => sum + size + blockBytes, Math.max(0, ...sizes));
  if (neededBytes <= storeBytes) return;
  const text = `no room for a toolchain of ${megabytes(neededBytes)} in a store of ${megabytes(storeBytes)}`;
  throw notTaken(text, "option max_dependency_cache_size of homccd");
}

function requireOwn(foreign: readonly Digest[]): void {
  if (foreign.length === 0) return;
  const bytes = foreign.reduce((sum, digest) => sum + sizeBytesOf(digest), 0);
  throw notTaken(
    `${foreign.length} files of the toolchain (${megabytes(bytes)}) are not on this server`,
    "toolchains = own: install that compiler on the server, or name a folder that holds it with `homccd toolchain add`",
  );
}

function notTaken(message: string, hint?: string): Refusal {
  return new Refusal({ reason: "toolchain-differs", message, ...(hint === undefined ? {} : { hint }) });
}

function badJob(message: string): Refusal {
  return new Refusal({ reason: "bad-job", message });
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
