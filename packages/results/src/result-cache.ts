import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Action, ActionResult, OutputChange } from "@homcc/cas/action";
import type { BlobStore } from "@homcc/cas/blob-store";
import { type Digest, digestOf } from "@homcc/cas/digest";
import type { DigestIndex } from "@homcc/cas/digest-index";
import { describeError } from "@homcc/observability/error";
import type { Logger } from "@homcc/observability/log";
import { messageKey } from "./action-key.ts";
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

export interface ResultCacheOptions {
  readonly store: BlobStore;
  readonly index: DigestIndex;
  /** For the files of restored results. Emptied at the start. */
  readonly folder: string;
  readonly logger: Logger;
}

/**
 * Results of earlier actions, found by what they depend on. Entries and outputs are blobs like all others and may be
 * evicted: then the result is not there.
 */
export class ResultCache {
  readonly #store: BlobStore;
  readonly #index: DigestIndex;
  readonly #folder: string;
  readonly #logger: Logger;
  #next = 1;

  private constructor({ store, index, folder, logger }: ResultCacheOptions) {
    this.#store = store;
    this.#index = index;
    this.#folder = folder;
    this.#logger = logger;
  }

  static async open(options: ResultCacheOptions): Promise<ResultCache> {
    await rm(options.folder, { recursive: true, force: true });
    await mkdir(options.folder, { recursive: true, mode: 0o700 });
    return new ResultCache(options);
  }

  /** A result that this action would have, too. */
  async find(action: Action, { own, shared }: Pick<ResultKeys, "own" | "shared">): Promise<Lookup> {
    const kept = await this.#entry(own);
    if (kept?.kind === "result" && isReadBy(action, kept)) return { kind: "found", kept };
    const others = shared === undefined ? undefined : await this.#entry(shared);
    if (others?.kind === "bound") return { kind: "missed", note: others.reason };
    return others !== undefined && isReadBy(action, others)
      ? { kind: "found", kept: others }
      : { kind: "missed" };
  }

  /**
   * Its outputs as files, at the paths of this source root; they are there until it is disposed. `undefined` when
   * something of it was evicted.
   */
  async restore(kept: KeptResult, root: string | undefined): Promise<ActionResult | undefined> {
    const pin = this.#store.pin([kept.stdout, kept.stderr, ...kept.outputs.map(({ digest }) => digest)]);
    const folder = join(this.#folder, String(this.#next++));
    const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
    try {
      const [stdout, stderr] = await Promise.all([
        this.#store.read(kept.stdout),
        this.#store.read(kept.stderr),
      ]);
      await mkdir(folder, { mode: 0o700 });
      const outputs = await this.#restoreOutputs(kept.outputs, folder, root);
      if (stdout === undefined || stderr === undefined || outputs === undefined) {
        await remove();
        return undefined;
      }
      const usage = { wallMs: 0, cpuMs: 0, maxRssKiB: 0 };
      const termination = { kind: "exited", status: 0 } as const;
      return { termination, stdout, stderr, outputs, undeclared: [], usage, [Symbol.asyncDispose]: remove };
    } finally {
      pin.release();
    }
  }

  /** Keeps a result that nothing speaks against (`objectionTo`). Never rejects; what cannot be kept is logged. */
  async keep(
    action: Action,
    keys: ResultKeys,
    reusability: Extract<Reusability, { kind: "reusable" }>,
    result: KeepableResult,
  ): Promise<void> {
    try {
      await this.#keep(action, keys, reusability, result);
    } catch (error) {
      this.#logger.info(`a result was not kept: ${describeError(error)}`);
    }
  }

  async #keep(
    action: Action,
    keys: ResultKeys,
    { mentionsName }: Extract<Reusability, { kind: "reusable" }>,
    result: KeepableResult,
  ): Promise<void> {
    const times = new TimeTraces(Date.now(), action);
    const { own, shared } = keys;
    const search = new RootSearch(action, keys, mentionsName);
    const outputs: KeptOutput[] = [];
    const sharedOutputs: KeptOutput[] = [];
    await search.text(result.stdout, "its messages name");
    await search.text(result.stderr, "its messages name");
    for (const output of result.outputs) {
      const bytes = await readFile(output.file);
      if (times.isIn(bytes)) return;
      const kept = { path: output.path, digest: await this.#put(bytes), mode: output.mode };
      if (output.digest !== undefined && output.digest !== kept.digest) return;
      outputs.push(kept);
      const marked = await search.output(output.path, bytes);
      if (marked === undefined) continue;
      const { path, text } = marked;
      sharedOutputs.push(
        text === undefined
          ? { ...kept, path }
          : { ...kept, path, digest: await this.#put(text), marked: true },
      );
    }
    const messages = {
      stdout: await this.#put(result.stdout),
      stderr: await this.#put(result.stderr),
      ...(result.stdout.byteLength + result.stderr.byteLength > 0 ? { messageKey: messageKey(action) } : {}),
    };
    if (search.reason !== undefined || shared === undefined) {
      await this.#add(own, { kind: "result", ...messages, outputs });
    }
    if (shared === undefined) return;
    await this.#add(
      shared,
      search.reason === undefined
        ? { kind: "result", ...messages, outputs: sharedOutputs }
        : { kind: "bound", reason: search.reason },
    );
  }

  async #entry(key: string): Promise<ResultEntry | undefined> {
    const digest = this.#index.get(key);
    const bytes = digest === undefined ? undefined : await this.#store.read(digest);
    return bytes === undefined ? undefined : decodeEntry(bytes);
  }

  async #add(key: string, entry: ResultEntry): Promise<void> {
    this.#index.add(key, await this.#put(encodeEntry(entry)));
  }

  async #put(bytes: Uint8Array): Promise<Digest> {
    const digest = digestOf(bytes);
    await this.#store.put(digest, [bytes]);
    return digest;
  }

  async #restoreOutputs(
    kept: readonly KeptOutput[],
    folder: string,
    root: string | undefined,
  ): Promise<OutputChange[] | undefined> {
    const relocation = root === undefined ? undefined : new Relocation(root);
    const outputs: OutputChange[] = [];
    for (const [index, { path: markedPath, digest, mode, marked }] of kept.entries()) {
      const path = relocation?.unmark(markedPath) ?? markedPath;
      const file = join(folder, String(index));
      const text = marked === true ? await this.#store.read(digest) : undefined;
      const sizeBytes =
        marked !== true
          ? (await this.#store.copyTo(digest, file)) && Number(digest.slice(65))
          : await writeDependencies(file, text, relocation);
      if (sizeBytes === false) return undefined;
      outputs.push({ kind: "written", path, file, sizeBytes, mode });
    }
    return outputs;
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

/** What it says to people is what this action's user would read. */
function isReadBy(action: Action, { messageKey: readers }: KeptResult): boolean {
  return readers === undefined || readers === messageKey(action);
}
