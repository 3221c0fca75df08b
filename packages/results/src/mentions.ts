import { setImmediate } from "node:timers/promises";
import type { BlobStore } from "@homcc/cas/blob-store";
import { type Digest, sizeBytesOf } from "@homcc/cas/digest";

/** What a source mentions that makes results differ although the action is the same. */
export interface Mentions {
  /** `__DATE__`, `__TIME__` or `__TIMESTAMP__`, be it in a comment: the moment of the compile, or the file's own time. */
  readonly time: boolean;
  /** `__FILE__` and its like: the name by which the source was called. */
  readonly name: boolean;
  /** `__PRETTY_FUNCTION__`, in which clang calls lambdas and nameless types after their place in the sources. */
  readonly typeName: boolean;
}

const nothing: Mentions = { time: false, name: false, typeName: false };

const timeWords = ["__DATE__", "__TIME__", "__TIMESTAMP__"];
/** Without the leading underscores, which a macro may put before it. */
const nameWords = ["FILE__", "_FILE", "source_location", "SOURCE_LOCATION"];
const typeNameWords = ["PRETTY_FUNCTION__", "FUNCSIG__"];

/** 100 bytes each. */
const maxKnown = 200_000;
/** Nobody writes such a source, and searching it would hold the event loop: 1 ms for 3 MB. */
const maxSearchedBytes = 32 << 20;

/** Looks into each content once: 0.05 ms for a header of 10 kB, most of it reading. */
export class MentionsByDigest {
  readonly #store: Pick<BlobStore, "read">;
  readonly #known = new Map<Digest, Mentions>();

  constructor(store: Pick<BlobStore, "read">) {
    this.#store = store;
  }

  /** `undefined` when the content is gone or too large: then it may mention anything. */
  async of(digest: Digest): Promise<Mentions | undefined> {
    const known = this.#known.get(digest);
    if (known !== undefined) return known;
    if (sizeBytesOf(digest) > maxSearchedBytes) return undefined;
    const bytes = await this.#store.read(digest);
    if (bytes === undefined) return undefined;
    const mentions = mentionsIn(bytes);
    this.#known.set(digest, mentions);
    const oldest = this.#known.keys().next();
    if (this.#known.size > maxKnown && oldest.done !== true) this.#known.delete(oldest.value);
    // Large ones take a while.
    if (bytes.byteLength > 1 << 20) await setImmediate();
    return mentions;
  }
}

/** `bytes` are searched as they are: a word that a macro pastes together is found in what came of it (`TimeTraces`). */
export function mentionsIn(bytes: Uint8Array): Mentions {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // Nearly no file has two underscores before such a word: one search instead of eight.
  const time = timeWords.some((word) => text.includes(word));
  const name = nameWords.some((word) => text.includes(word));
  const typeName = typeNameWords.some((word) => text.includes(word));
  return time || name || typeName ? { time, name, typeName } : nothing;
}
