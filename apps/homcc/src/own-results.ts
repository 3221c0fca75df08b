import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Action } from "@homcc/cas/action";
import type { Digest } from "@homcc/cas/digest";
import { DigestIndex } from "@homcc/cas/digest-index";
import { DiskBlobStore } from "@homcc/cas/disk-blob-store";
import { release } from "@homcc/cas/release";
import { describeError } from "@homcc/observability/error";
import type { Logger } from "@homcc/observability/log";
import { actionKey } from "@homcc/results/action-key";
import { type KeptResult, ResultCache } from "@homcc/results/result-cache";
import { SlotQueue } from "@homcc/scheduler/slots";
import type { OutputBase } from "./remote/output-bases.ts";
import { OutputWriter } from "./remote/output-writer.ts";
import { type ProducedOutput, writtenBy } from "./remote/produced-output.ts";

/** A result of an earlier job, its outputs complete under temporary names. */
export interface OwnResult {
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
  readonly written: readonly { readonly path: string; readonly digest: Digest }[];
  readonly produced: readonly ProducedOutput[];
  commit(): Promise<void>;
  discard(): Promise<void>;
}

/** What a server made, and said that the same action would have it again. */
export interface MadeResult {
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
  readonly written: readonly { readonly path: string; readonly digest: Digest; readonly mode: number }[];
}

/** Laptops have small disks: what homcc keeps for later never takes the last of them. */
const minFreeBytes = 1 << 30;

/** Results wait to be kept while a build needs the processor and the disk; those of more jobs are not kept. */
const maxWaiting = 64;

const retryMs = 30_000;

/** Whatever server made a result, it is what a local compile gives. */
const place = "home";

interface OpenStore {
  readonly cache: ResultCache;
  readonly blobs: DiskBlobStore;
  readonly index: DigestIndex;
}

/**
 * The agent's own store of recent results: the same action needs no network at all. It knows what a server found out about
 * them: only what that calls reusable is kept.
 */
export class OwnResults {
  readonly #folder: string;
  readonly #logger: Logger;
  readonly #keeping = new SlotQueue(1);
  #opened: Promise<OpenStore | undefined> | undefined;
  /** Once it is open. */
  #blobs: DiskBlobStore | undefined;
  /** When a store that could not be opened is tried again. */
  #notBeforeMs = -Infinity;

  constructor(folder: string, logger: Logger) {
    this.#folder = folder;
    this.#logger = logger;
  }

  /** `maxBytes` 0 switches the store off for this job; otherwise the first job decides about its size. */
  async find(action: Action, maxBytes: number): Promise<OwnResult | undefined> {
    const store = isKept(action) ? await this.#open(maxBytes) : undefined;
    if (store === undefined) return undefined;
    const lookup = await store.cache.find(action, { own: actionKey(action, place), shared: undefined });
    return lookup.kind === "found" ? await restore(lookup.kept, store.blobs, action) : undefined;
  }

  /** Nothing can be found: without any work. */
  async isEmpty(maxBytes: number): Promise<boolean> {
    const store = await this.#open(maxBytes);
    return store === undefined || store.index.size === 0;
  }

  /** An output that is kept, for a server to tell another by, whatever became of the file; held until it is disposed of. */
  hold(digest: Digest): OutputBase | undefined {
    const blobs = this.#blobs;
    if (blobs?.has(digest) !== true) return undefined;
    const pin = blobs.pin([digest]);
    return {
      digest,
      // A blob that is damaged is noticed as a file is that somebody wrote into.
      read: async () => (await blobs.read(digest)) ?? new Uint8Array(),
      [Symbol.dispose]: () => pin.release(),
    };
  }

  /** Reads the outputs from their places, some time later, if they are still what was written there. Never rejects. */
  async keep(action: Action, result: MadeResult, maxBytes: number): Promise<void> {
    const store =
      isKept(action) && this.#keeping.waiting < maxWaiting ? await this.#open(maxBytes) : undefined;
    if (store === undefined) return;
    using _turn = await this.#keeping.acquire(new AbortController().signal);
    const { stdout, stderr, written } = result;
    const outputs = written.map(({ path, digest, mode }) => ({ path, file: path, digest, mode }));
    const keys = {
      own: actionKey(action, place),
      root: undefined,
      relocatability: { kind: "bound", reason: "kept for this folder" },
      shared: undefined,
    } as const;
    const reusable = { kind: "reusable", mentionsName: true, mentionsTypeName: true } as const;
    await store.cache.keep(action, keys, reusable, { stdout, stderr, outputs });
  }

  /** Writes the order of use and gives the folder free. */
  async close(): Promise<void> {
    const store = await this.#opened;
    await store?.blobs.close();
  }

  #open(maxBytes: number): Promise<OpenStore | undefined> {
    if (maxBytes === 0) return Promise.resolve(undefined);
    if (performance.now() < this.#notBeforeMs) return Promise.resolve(undefined);
    this.#opened ??= this.#openStore(maxBytes);
    return this.#opened;
  }

  /** By the first job: reading the names of 10,000 blobs takes 50 ms, which a call that stays at home does not need. */
  async #openStore(maxBytes: number): Promise<OpenStore | undefined> {
    try {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      const logger = this.#logger;
      const blobs = await DiskBlobStore.open({
        folder: join(this.#folder, "blobs"),
        maxBytes,
        minFreeBytes,
        logger,
      });
      const index = await DigestIndex.open(join(this.#folder, "index"), logger);
      const cache = await ResultCache.open({
        store: blobs,
        index,
        folder: join(this.#folder, "restored"),
        logger,
      });
      this.#blobs = blobs;
      return { cache, blobs, index };
    } catch (error) {
      // Another agent that is just ending has it, or the disk is full: results are made anew then.
      this.#logger.warning(`results are not kept at home: ${describeError(error)}`);
      this.#opened = undefined;
      this.#notBeforeMs = performance.now() + retryMs;
      return undefined;
    }
  }
}

/** A sandbox's compiler is not the one that the action names. */
function isKept({ sandbox }: Action): boolean {
  return sandbox === undefined;
}

/** `undefined` when something of it was evicted. */
async function restore(
  { stdout, stderr, outputs }: KeptResult,
  blobs: DiskBlobStore,
  action: Action,
): Promise<OwnResult | undefined> {
  const declared = new Set(action.outputs.map(({ path }) => path));
  const writers: OutputWriter[] = [];
  const discard = async (): Promise<void> => {
    await Promise.all(writers.map((writer) => writer.discard()));
  };
  try {
    const [stdoutBytes, stderrBytes] = await Promise.all([blobs.read(stdout), blobs.read(stderr)]);
    for (const { path, digest, mode } of outputs) {
      const bytes = declared.has(path) ? await blobs.read(digest) : undefined;
      if (bytes === undefined || stdoutBytes === undefined || stderrBytes === undefined) {
        await discard();
        return undefined;
      }
      const writer = new OutputWriter(path, mode & 0o777);
      writers.push(writer);
      await writer.write(bytes);
      release(bytes);
      await writer.finish();
    }
    if (stdoutBytes === undefined || stderrBytes === undefined) return undefined;
    const commit = async (): Promise<void> => {
      for (const writer of writers) await writer.commit();
    };
    const produced = writers.map((writer) => writtenBy(writer));
    return { stdout: stdoutBytes, stderr: stderrBytes, written: outputs, produced, commit, discard };
  } catch (error) {
    await discard();
    throw error;
  }
}
