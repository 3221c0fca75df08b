import type { Digest } from "@homcc/cas/digest";
import { type Slot, slotThat } from "@homcc/scheduler/slots";

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
 * that nobody wants any more is dropped when it would have its turn.
 */
export class UploadOrder {
  readonly #limit: number;
  readonly #wanted = new Map<Digest, number>();
  readonly #waiters = new Set<Waiter>();
  #held = 0;
  #turns = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** One more job waits for the blob, until it is disposed. */
  want(digest: Digest): Disposable {
    this.#wanted.set(digest, (this.#wanted.get(digest) ?? 0) + 1);
    return slotThat(() => {
      const left = (this.#wanted.get(digest) ?? 0) - 1;
      if (left > 0) this.#wanted.set(digest, left);
      else this.#wanted.delete(digest);
    });
  }

  /** Rejects with `UnwantedUpload`, or with the signal's reason. */
  acquire(digest: Digest, sizeBytes: number, signal: AbortSignal): Promise<Slot> {
    if (signal.aborted) return Promise.reject(signal.reason);
    const { promise, resolve, reject } = Promise.withResolvers<Slot>();
    const abandon = (): void => {
      this.#waiters.delete(waiter);
      reject(signal.reason);
    };
    const waiter: Waiter = {
      digest,
      sizeBytes,
      grant: (slot) => {
        signal.removeEventListener("abort", abandon);
        resolve(slot);
      },
      drop: (reason) => {
        signal.removeEventListener("abort", abandon);
        reject(reason);
      },
    };
    signal.addEventListener("abort", abandon, { once: true });
    this.#waiters.add(waiter);
    this.#serve();
    return promise;
  }

  #serve(): void {
    while (this.#held < this.#limit) {
      const next = this.#next();
      if (next === undefined) return;
      this.#waiters.delete(next);
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
    const isOldestDue = ++this.#turns % oldestEvery === 0;
    let best: Waiter | undefined;
    for (const waiter of this.#waiters) {
      if (best === undefined || this.#isBefore(waiter, best)) best = waiter;
      if (isOldestDue) break;
    }
    return best;
  }

  #isBefore(a: Waiter, b: Waiter): boolean {
    const difference = (this.#wanted.get(a.digest) ?? 0) - (this.#wanted.get(b.digest) ?? 0);
    return difference === 0 ? a.sizeBytes < b.sizeBytes : difference > 0;
  }
}
