/** Permission to run one thing at once. Releasing twice is harmless. */
export interface Slot extends Disposable {
  release(): void;
}

/** Whoever has a turn of its own: a client, the session of a launcher. */
type Party = object | number;

interface Waiter {
  grant(slot: Slot): void;
}

/**
 * At most `limit` slots are held at a time; who finds none waits. Free ones go to the parties in turn, and within a party to
 * who came first: one edited file is not behind a colleague's 3,000. A holder that vanishes
 * without `release` keeps its slot for ever: tie the release to the end of the connection or process it stands for.
 */
export class SlotQueue {
  #limit: number;
  #held = 0;
  /** By party; the one whose turn it is first. None is empty. */
  readonly #parties = new Map<Party, Set<Waiter>>();
  /** Served when no party waits. */
  readonly #borrowers = new Set<Waiter>();
  /** What those who have borrowed a slot are told when it is wanted; the first one first. */
  readonly #lent = new Set<() => void>();

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
    return [...this.#parties.values()].reduce((sum, { size }) => sum + size, 0);
  }

  /** How many are served before one of `party` who comes now. */
  ahead(party: Party): number {
    const own = this.#parties.get(party)?.size ?? 0;
    let others = 0;
    for (const [other, { size }] of this.#parties) if (other !== party) others += Math.min(size, own + 1);
    return own + others;
  }

  /**
   * A slot, as soon as it is the turn of `party` and all of it who asked before have had one. Rejects with the signal's reason
   * when it is aborted first; once granted, an abort no longer matters and the caller has to release.
   */
  acquire(signal?: AbortSignal, party: Party = this): Promise<Slot> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    const slot = this.tryAcquire();
    return slot === undefined ? this.#wait(signal, party) : Promise.resolve(slot);
  }

  /** A slot if one is free and nobody waits for it. */
  tryAcquire(): Slot | undefined {
    return this.#parties.size === 0 && this.#held < this.#limit ? this.#take() : undefined;
  }

  /**
   * A slot for what can be done at any time, as soon as nobody else wants it. `onWanted` is called once when somebody has to
   * wait: then it is to be released at once. Rejects as `acquire` does.
   */
  async borrow(onWanted: () => void, signal: AbortSignal): Promise<Slot> {
    signal.throwIfAborted();
    const slot = this.tryAcquire() ?? (await this.#waitIn(this.#borrowers, signal, () => {}));
    this.#lent.add(onWanted);
    // Somebody may have come between the grant and now.
    if (this.#parties.size > 0) this.#wantBack();
    return slotThat(() => {
      this.#lent.delete(onWanted);
      slot.release();
    });
  }

  /** Changes the limit. Slots beyond a smaller one stay valid; there are no new ones until enough are released. */
  resize(limit: number): void {
    this.#limit = checkedLimit(limit);
    this.#serve();
  }

  #wait(signal: AbortSignal | undefined, party: Party): Promise<Slot> {
    const waiters = this.#parties.get(party) ?? new Set();
    this.#parties.set(party, waiters);
    const slot = this.#waitIn(waiters, signal, () => {
      if (waiters.size === 0 && this.#parties.get(party) === waiters) this.#parties.delete(party);
    });
    this.#wantBack();
    return slot;
  }

  #wantBack(): void {
    const [tell] = this.#lent;
    if (tell === undefined) return;
    this.#lent.delete(tell);
    tell();
  }

  /** `onAbandon` is called when one of `waiters` waits no longer. */
  #waitIn(waiters: Set<Waiter>, signal: AbortSignal | undefined, onAbandon: () => void): Promise<Slot> {
    const { promise, resolve, reject } = Promise.withResolvers<Slot>();
    const waiter: Waiter = {
      grant: (slot) => {
        signal?.removeEventListener("abort", abandon);
        resolve(slot);
      },
    };
    const abandon = (): void => {
      waiters.delete(waiter);
      onAbandon();
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", abandon, { once: true });
    waiters.add(waiter);
    return promise;
  }

  #serve(): void {
    while (this.#held < this.#limit) {
      const [turn] = this.#parties;
      if (turn === undefined) break;
      const [party, waiters] = turn;
      const [waiter] = waiters;
      // Behind the others, if it has more.
      this.#parties.delete(party);
      if (waiter === undefined) continue;
      waiters.delete(waiter);
      if (waiters.size > 0) this.#parties.set(party, waiters);
      waiter.grant(this.#take());
    }
    for (const borrower of this.#borrowers) {
      if (this.#held >= this.#limit) break;
      this.#borrowers.delete(borrower);
      borrower.grant(this.#take());
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
