/** Permission to run one thing at once. Releasing twice is harmless. */
export interface Slot extends Disposable {
  release(): void;
}

interface Waiter {
  grant(slot: Slot): void;
}

/**
 * At most `limit` slots are held at a time; who finds none waits, first come, first served. A holder that vanishes
 * without `release` keeps its slot for ever: tie the release to the end of the connection or process it stands for.
 */
export class SlotQueue {
  #limit: number;
  #held = 0;
  readonly #waiters = new Set<Waiter>();

  constructor(limit: number) {
    this.#limit = checkedLimit(limit);
  }

  get limit(): number {
    return this.#limit;
  }

  get held(): number {
    return this.#held;
  }

  get waiting(): number {
    return this.#waiters.size;
  }

  /**
   * A slot, as soon as everyone who asked before has had one. Rejects with the signal's reason when it is aborted
   * first; once granted, an abort no longer matters and the caller has to release.
   */
  acquire(signal?: AbortSignal): Promise<Slot> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    const slot = this.tryAcquire();
    return slot === undefined ? this.#wait(signal) : Promise.resolve(slot);
  }

  /** A slot if one is free and nobody waits for it. */
  tryAcquire(): Slot | undefined {
    return this.#waiters.size === 0 && this.#held < this.#limit ? this.#take() : undefined;
  }

  /** Changes the limit. Slots beyond a smaller one stay valid; there are no new ones until enough are released. */
  resize(limit: number): void {
    this.#limit = checkedLimit(limit);
    this.#serve();
  }

  #wait(signal: AbortSignal | undefined): Promise<Slot> {
    const { promise, resolve, reject } = Promise.withResolvers<Slot>();
    const waiter: Waiter = {
      grant: (slot) => {
        signal?.removeEventListener("abort", abandon);
        resolve(slot);
      },
    };
    const abandon = (): void => {
      this.#waiters.delete(waiter);
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", abandon, { once: true });
    this.#waiters.add(waiter);
    return promise;
  }

  #serve(): void {
    for (const waiter of this.#waiters) {
      if (this.#held >= this.#limit) return;
      this.#waiters.delete(waiter);
      waiter.grant(this.#take());
    }
  }

  #take(): Slot {
    this.#held += 1;
    return slotThat(() => {
      this.#held -= 1;
      this.#serve();
    });
  }
}

/** A slot that calls `giveBack` once, however often it is released. */
export function slotThat(giveBack: () => void): Slot {
  let held = true;
  const release = (): void => {
    if (!held) return;
    held = false;
    giveBack();
  };
  return { release, [Symbol.dispose]: release };
}

function checkedLimit(limit: number): number {
  if (!Number.isSafeInteger(limit) || limit < 0) throw new Error(`a slot limit of ${limit}`);
  return limit;
}
