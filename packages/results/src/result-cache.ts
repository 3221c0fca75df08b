import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Action, ActionResult, OutputChange } from "@homcc/cas/action";
import type { BlobStore } from "@homcc/cas/blob-store";
import { type Digest, digestOf, sizeBytesOf } from "@homcc/cas/digest";
import { isDependencyFile } from "@homcc/compiler/dependency-output";
import type { DigestIndex } from "@homcc/cas/digest-index";
import { describeError } from "@homcc/observability/error";
import type { Logger } from "@homcc/observability/log";
import { messageKey } from "./action-key.ts";
import type { UnprovenResult } from "./name-proof.ts";
import { unmarkDependencies } from "./kept-dependencies.ts";
import { Relocation } from "./relocation.ts";
import { decodeEntry, encodeEntry, type KeptOutput, type ResultEntry } from "./result-entry.ts";
import { type Reusability, TimeTraces } from "./reusable-result.ts";
import type { ResultKeys } from "./result-keys.ts";
import { RootSearch } from "./root-search.ts";

/** A result as the store has it. */
export type KeptResult = Extract<ResultEntry, { kind: "result" }>;

export type Lookup =
  | { readonly kind: "found"; readonly kept: KeptResult }
  /** `note`: why the result of another checkout does not serve. */
  | { readonly kind: "missed"; readonly note?: string };

/** What is to be kept; of its files the bytes count that they have now. */
export interface KeepableResult {
  /** For whom it counts in the store. */
  readonly client?: string;
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
  readonly outputs: readonly {
    readonly path: string;
    readonly file: string;
    readonly mode: number;
    /** Nothing is kept when the file has become another one. */
    readonly digest?: Digest;
  }[];
}

/** A result that every root may have once somebody has shown that its object does not depend on names. */
export interface ShareableResult {
  readonly unproven: UnprovenResult;
  /** `whyNot` is what `whyNamesMatter` came to. Never rejects. */
  settle(whyNot: string | undefined): Promise<void>;
}

/** What others may get when it has been found to hold for them. */
interface UnsettledResult {
  readonly outputs: readonly KeptOutput[];
  readonly forAll: KeptResult;
  readonly client: string | undefined;
}

export interface ResultCacheOptions {
  readonly store: BlobStore;
  readonly index: DigestIndex;
  /** For the files of restored results. Emptied at the start. */
  readonly folder: string;
  readonly logger: Logger;
  /** Another form of an output, which is kept beside it for those who get it later; `undefined` where there is none. */
  readonly pack?: (bytes: Uint8Array) => Promise<Uint8Array | undefined>;
}

/** Entries that are remembered, 1 kB each: what somebody has just kept or found, others soon ask for. */
const maxRememberedEntries = 4096;

/**
 * Results of earlier actions, found by what they depend on. Entries and outputs are blobs like all others and may be
 * evicted: then the result is not there.
 */
export class ResultCache {
  readonly #store: BlobStore;
  readonly #index: DigestIndex;
  readonly #folder: string;
  readonly #logger: Logger;
  readonly #pack: ResultCacheOptions["pack"];
  readonly #entries = new Map<Digest, ResultEntry>();
  #next = 1;

  private constructor({ store, index, folder, logger, pack }: ResultCacheOptions) {
    this.#store = store;
    this.#index = index;
    this.#folder = folder;
    this.#logger = logger;
    this.#pack = pack;
  }

  static async open(options: ResultCacheOptions): Promise<ResultCache> {
    await rm(options.folder, { recursive: true, force: true });
    await mkdir(options.folder, { recursive: true, mode: 0o700 });
    return new ResultCache(options);
  }

  /** A result that this action would have, too. Mostly one for every root: the other key is made when there is none. */
  async find(action: Action, keys: Pick<ResultKeys, "own" | "shared">): Promise<Lookup> {
    const others = keys.shared === undefined ? undefined : await this.#entry(keys.shared);
    if (others?.kind === "result" && isReadBy(action, others)) return { kind: "found", kept: others };
    const kept = await this.#entry(keys.own);
    if (kept?.kind === "result" && isReadBy(action, kept)) return { kind: "found", kept };
    return others?.kind === "bound" ? { kind: "missed", note: others.reason } : { kind: "missed" };
  }

  /**
   * Its outputs as files, which are the store's own where they can be, at the paths of this source root; they are there until
   * it is disposed. `undefined` when something of it was evicted.
   */
  async restore(kept: KeptResult, root: string | undefined): Promise<ActionResult | undefined> {
    const pin = this.#store.pin([kept.stdout, kept.stderr, ...kept.outputs.map(({ digest }) => digest)]);
    const files = new RestoredFiles(this.#folder, this.#next++);
    const dispose = async (): Promise<void> => {
      pin.release();
      await files.remove();
    };
    try {
      const [stdout, stderr] = await Promise.all([
        this.#store.read(kept.stdout),
        this.#store.read(kept.stderr),
      ]);
      const outputs = await this.#restoreOutputs(kept.outputs, files, root);
      if (stdout === undefined || stderr === undefined || outputs === undefined) {
        await dispose();
        return undefined;
      }
      const usage = { wallMs: 0, cpuMs: 0, maxRssKiB: 0 };
      const termination = { kind: "exited", status: 0 } as const;
      return { termination, stdout, stderr, outputs, undeclared: [], usage, [Symbol.asyncDispose]: dispose };
    } catch (error) {
      await dispose();
      throw error;
    }
  }

  /**
   * Keeps a result that nothing speaks against (`objectionTo`), and gives it when it could be kept for more than its own
   * root. Never rejects; what cannot be kept is logged.
   */
  async keep(
    action: Action,
    keys: ResultKeys,
    reusability: Extract<Reusability, { kind: "reusable" }>,
    result: KeepableResult,
  ): Promise<ShareableResult | undefined> {
    try {
      return await this.#keep(action, keys, reusability, result);
    } catch (error) {
      this.#logger.info(`a result was not kept: ${describeError(error)}`);
      return undefined;
    }
  }

  async #keep(
    action: Action,
    keys: ResultKeys,
    reusability: Extract<Reusability, { kind: "reusable" }>,
    result: KeepableResult,
  ): Promise<ShareableResult | undefined> {
    const times = new TimeTraces(Date.now(), action);
    const { own, shared } = keys;
    const { client } = result;
    const search = new RootSearch(action, keys, reusability);
    const outputs: KeptOutput[] = [];
    const sharedOutputs: KeptOutput[] = [];
    await search.text(result.stdout, "its messages name");
    await search.text(result.stderr, "its messages name");
    for (const output of result.outputs) {
      const bytes = await readFile(output.file);
      if (times.isIn(bytes)) return undefined;
      const digest = await this.#put(bytes, client);
      if (output.digest !== undefined && output.digest !== digest) return undefined;
      const packed = await this.#pack?.(bytes);
      const kept: KeptOutput = {
        path: output.path,
        digest,
        mode: output.mode,
        ...(packed === undefined ? {} : { packed: await this.#put(packed, client) }),
      };
      outputs.push(kept);
      const marked = await search.output(output.path, bytes);
      if (marked === undefined) continue;
      const { path, text } = marked;
      sharedOutputs.push(
        text === undefined
          ? { ...kept, path }
          : { path, digest: await this.#put(text, client), mode: kept.mode, marked: true },
      );
    }
    const messages = {
      stdout: await this.#put(result.stdout, client),
      stderr: await this.#put(result.stderr, client),
      ...(result.stdout.byteLength + result.stderr.byteLength > 0 ? { messageKey: messageKey(action) } : {}),
    };
    const { reason = search.needsProof ? unprovenReason : undefined } = search;
    if (reason !== undefined || shared === undefined) {
      await this.#add(own, { kind: "result", ...messages, outputs }, client);
    }
    if (shared === undefined) return undefined;
    const forAll: ResultEntry = { kind: "result", ...messages, outputs: sharedOutputs };
    if (search.reason !== undefined || !search.needsProof) {
      await this.#add(
        shared,
        search.reason === undefined ? forAll : { kind: "bound", reason: search.reason },
        client,
      );
      return undefined;
    }
    return await this.#shareable(action, keys, shared, { outputs, forAll, client });
  }

  /** Until it is settled the others are told that it is not known. What was settled before stays so. */
  async #shareable(
    action: Action,
    { root }: ResultKeys,
    shared: string,
    { outputs, forAll, client }: UnsettledResult,
  ): Promise<ShareableResult | undefined> {
    const settled = await this.#entry(shared);
    const isSettled =
      settled?.kind === "result"
        ? (await this.#store.findMissing(settled.outputs.map(({ digest }) => digest))).length === 0
        : settled !== undefined && settled.reason !== unprovenReason;
    if (isSettled) return undefined;
    await this.#add(shared, { kind: "bound", reason: unprovenReason }, client);
    const [object, ...more] = outputs.filter(({ path }) => !isDependencyFile(path, action));
    if (root === undefined || object === undefined || more.length > 0) return undefined;
    return {
      unproven: { action, root, object },
      settle: async (whyNot) => {
        try {
          await this.#add(shared, whyNot === undefined ? forAll : { kind: "bound", reason: whyNot }, client);
        } catch (error) {
          this.#logger.info(`a result was not kept: ${describeError(error)}`);
        }
      },
    };
  }

  async #entry(key: string): Promise<ResultEntry | undefined> {
    const digest = this.#index.get(key);
    if (digest === undefined) return undefined;
    const known = this.#entries.get(digest);
    // Also a use of it.
    if (known !== undefined && (await this.#store.findMissing([digest])).length === 0) return known;
    const bytes = await this.#store.read(digest);
    const entry = bytes === undefined ? undefined : decodeEntry(bytes);
    if (entry !== undefined) this.#remember(digest, entry);
    return entry;
  }

  async #add(key: string, entry: ResultEntry, client: string | undefined): Promise<void> {
    const digest = await this.#put(encodeEntry(entry), client);
    this.#index.add(key, digest);
    this.#remember(digest, entry);
  }

  #remember(digest: Digest, entry: ResultEntry): void {
    this.#entries.delete(digest);
    this.#entries.set(digest, entry);
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > maxRememberedEntries && oldest !== undefined) this.#entries.delete(oldest);
  }

  async #put(bytes: Uint8Array, client: string | undefined): Promise<Digest> {
    const digest = digestOf(bytes);
    await this.#store.putHashed(digest, bytes, client);
    return digest;
  }

  async #restoreOutputs(
    kept: readonly KeptOutput[],
    files: RestoredFiles,
    root: string | undefined,
  ): Promise<OutputChange[] | undefined> {
    const relocation = root === undefined ? undefined : new Relocation(root);
    const outputs: OutputChange[] = [];
    for (const { path: markedPath, digest, mode, marked, packed } of kept) {
      const path = relocation?.unmark(markedPath) ?? markedPath;
      if (marked === true) {
        const file = await files.next();
        const sizeBytes = await writeDependencies(file, await this.#store.read(digest), relocation);
        if (sizeBytes === false) return undefined;
        outputs.push({ kind: "written", path, file, sizeBytes, mode });
      } else {
        const file = (await this.#store.fileOf(digest)) ?? (await this.#copyOf(digest, files));
        if (file === undefined) return undefined;
        const written = {
          kind: "written",
          path,
          file,
          sizeBytes: sizeBytesOf(digest),
          mode,
          digest,
        } as const;
        outputs.push(packed === undefined ? written : { ...written, packed });
      }
    }
    return outputs;
  }

  async #copyOf(digest: Digest, files: RestoredFiles): Promise<string | undefined> {
    const file = await files.next();
    return (await this.#store.copyTo(digest, file)) ? file : undefined;
  }
}

/** What of one result has to be written; nearly always nothing. */
class RestoredFiles {
  readonly #folder: string;
  #count = 0;

  constructor(folder: string, number: number) {
    this.#folder = join(folder, String(number));
  }

  /** The path of a file to be made. */
  async next(): Promise<string> {
    if (this.#count === 0) await mkdir(this.#folder, { mode: 0o700 });
    return join(this.#folder, String(this.#count++));
  }

  async remove(): Promise<void> {
    if (this.#count > 0) await rm(this.#folder, { recursive: true, force: true });
  }
}

async function writeDependencies(
  file: string,
  marked: Uint8Array | undefined,
  relocation: Relocation | undefined,
): Promise<number | false> {
  if (marked === undefined || relocation === undefined) return false;
  const text = unmarkDependencies(Buffer.from(marked).toString("latin1"), relocation);
  if (text === undefined) return false;
  await writeFile(file, text, "latin1");
  return text.length;
}

/** Until the server has had an idle moment. */
const unprovenReason = "its name (__FILE__) may be in it: not yet looked into";

/** What it says to people is what this action's user would read. */
function isReadBy(action: Action, { messageKey: readers }: KeptResult): boolean {
  return readers === undefined || readers === messageKey(action);
}
