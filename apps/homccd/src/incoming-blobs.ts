import type { Digest } from "@homcc/cas/digest";

/** One job's wait: what it still lacks, and what it says to the client about it. */
interface Wait {
  readonly lacking: Set<Digest>;
  readonly ask: (digests: readonly Digest[]) => void;
  readonly done: () => void;
}

/**
 * The blobs that one client is sending, and the jobs that wait for them. A client sends what it believes to be news
 * without being asked; what is on its way is not asked for.
 */
export class IncomingBlobs {
  /** How many uploads of a digest are under way. */
  readonly #underWay = new Map<Digest, number>();
  readonly #waits = new Set<Wait>();

  isUnderWay(digest: Digest): boolean {
    return this.#underWay.has(digest);
  }

  began(digest: Digest): void {
    this.#underWay.set(digest, (this.#underWay.get(digest) ?? 0) + 1);
  }

  /** The blob is in the store, or (`isStored` false) came to nothing: then whoever counted on it asks for it. */
  ended(digest: Digest, isStored: boolean): void {
    const others = (this.#underWay.get(digest) ?? 1) - 1;
    if (others > 0) this.#underWay.set(digest, others);
    else this.#underWay.delete(digest);
    for (const wait of this.#waits) {
      if (!wait.lacking.has(digest)) continue;
      if (isStored) wait.lacking.delete(digest);
      else if (others === 0) wait.ask([digest]);
      if (wait.lacking.size === 0) wait.done();
    }
  }

  /**
   * Waits until all are in the store, having asked at once for those that nobody sends. Call it in the turn in which
   * they were found missing. Rejects with the signal's reason.
   */
  async receive(
    digests: readonly Digest[],
    ask: (digests: readonly Digest[]) => void,
    signal: AbortSignal,
  ): Promise<void> {
    signal.throwIfAborted();
    const arrived = Promise.withResolvers<void>();
    const wait: Wait = { lacking: new Set(digests), ask, done: () => arrived.resolve() };
    const abort = (): void => arrived.reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    this.#waits.add(wait);
    try {
      const unsent = digests.filter((digest) => !this.isUnderWay(digest));
      if (unsent.length > 0) ask(unsent);
      await arrived.promise;
    } finally {
      this.#waits.delete(wait);
      signal.removeEventListener("abort", abort);
    }
  }
}
