import type { Digest } from "@homcc/cas/digest";
import { type Slot, slotThat } from "@homcc/scheduler/slots";
import { UploadRanking } from "./upload-ranking.ts";

interface Waiter {
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly grant: (slot: Slot) => void;
  readonly drop: (reason: unknown) => void;
}

/** Every so many turns the longest waiting has its turn, so that a large file that one job needs is not last of thousands. */
const oldestEvery = 4;

/** Nobody waits for the blob any more. */
export class UnwantedUpload extends Error {
  constructor() {
    super("no job waits for it any more");
  }
}

/**
 * Which blob is sent next: the one that most jobs wait for, of those the smallest. At most `limit` are on their way at once. A blob
 * that nobody wants any more is dropped when it would have its turn. A first build has 10,000 that wait: nothing here looks at
 * all of them.
 */
export class UploadOrder {
  readonly #limit: number;
  readonly #signal: AbortSignal;
  readonly #wanted = new Map<Digest, number>();
  readonly #waiters = new Map<Digest, Waiter>();
  /** Who waits or waited, the longest waiting first: the beginning of a map from which much was taken is slow to find. */
  #arrivals: (Waiter | undefined)[] = [];
  #arrived = 0;
  readonly #ranking = new UploadRanking();
  #held = 0;
  #turns = 0;

  /** With `signal` aborted nobody waits any longer. */
  constructor(limit: number, signal: AbortSignal) {
    this.#limit = limit;
    this.#signal = signal;
    // One listener: adding one compares it with all that are there.
    signal.addEventListener("abort", () => this.#dropAll(signal.reason), { once: true });
  }

  /** One more job waits for the blob, until it is disposed. */
  want(digest: Digest): Disposable {
    this.#wanted.set(digest, (this.#wanted.get(digest) ?? 0) + 1);
    this.#rank(digest);
    return slotThat(() => {
      const left = (this.#wanted.get(digest) ?? 0) - 1;
      if (left > 0) this.#wanted.set(digest, left);
      else this.#wanted.delete(digest);
      this.#rank(digest);
    });
  }

  /** Once at a time for a blob. Rejects with `UnwantedUpload`, or with the signal's reason. */
  acquire(digest: Digest, sizeBytes: number): Promise<Slot> {
    if (this.#signal.aborted) return Promise.reject(this.#signal.reason);
    const { promise, resolve, reject } = Promise.withResolvers<Slot>();
    const waiter = { digest, sizeBytes, grant: resolve, drop: reject };
    this.#waiters.set(digest, waiter);
    this.#arrivals.push(waiter);
    this.#rank(digest);
    this.#serve();
    return promise;
  }

  #serve(): void {
    while (this.#held < this.#limit) {
      const next = this.#next();
      if (next === undefined) return;
      this.#waiters.delete(next.digest);
      if (this.#waiters.size === 0) this.#forgetArrivals();
      if (!this.#wanted.has(next.digest)) {
        next.drop(new UnwantedUpload());
        continue;
      }
      this.#held++;
      next.grant(
        slotThat(() => {
          this.#held--;
          this.#serve();
        }),
      );
    }
  }

  #next(): Waiter | undefined {
    this.#turns += 1;
    if (this.#turns % oldestEvery === 0) return this.#oldest();
    for (;;) {
      const first = this.#ranking.take();
      if (first === undefined) return undefined;
      const waiter = this.#waiters.get(first.digest);
      // Had its turn, or is ranked otherwise by now.
      if (waiter !== undefined && first.wanted === this.#wantedOf(first.digest)) return waiter;
    }
  }

  #oldest(): Waiter | undefined {
    while (this.#arrived < this.#arrivals.length) {
      const waiter = this.#arrivals[this.#arrived];
      // What has had its turn is not to be held.
      this.#arrivals[this.#arrived++] = undefined;
      if (waiter !== undefined && this.#waiters.get(waiter.digest) === waiter) return waiter;
    }
    return undefined;
  }

  #forgetArrivals(): void {
    this.#arrivals = [];
    this.#arrived = 0;
  }

  #rank(digest: Digest): void {
    const waiter = this.#waiters.get(digest);
    if (waiter === undefined) return;
    this.#ranking.add({ digest, sizeBytes: waiter.sizeBytes, wanted: this.#wantedOf(digest) });
  }

  #wantedOf(digest: Digest): number {
    return this.#wanted.get(digest) ?? 0;
  }

  #dropAll(reason: unknown): void {
    for (const { drop } of this.#waiters.values()) drop(reason);
    this.#waiters.clear();
    this.#forgetArrivals();
  }
}
