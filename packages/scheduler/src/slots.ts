/** Permission to run one thing at once. Releasing twice is harmless. */
export interface Slot extends Disposable {
  release(): void;
}

/** Whoever has a turn of its own: a client, the session of a launcher. */
type Party = object | number;

/** Who has a turn among those of one party: a connection of a client that has several. */
type Member = object | number;

/** Waiters of one party, by member; the one whose turn it is first. None is empty. */
type Members = Map<Member, Set<Waiter>>;

interface Waiter {
  grant(slot: Slot): void;
  refuse(reason: Error): void;
}

/**
 * At most `limit` slots are held at a time; who finds none waits. Free ones go to the parties in turn, within a party to its
 * members in turn, and within a member to who came first: one edited file is not behind a colleague's 3,000, and ten connections
 * do not get a client ten turns. A holder that vanishes
 * without `release` keeps its slot for ever: tie the release to the end of the connection or process it stands for.
 */
export class SlotQueue {
  #limit: number;
  #held = 0;
  /** Whether there may be another one at all, as far as other things than their number go. */
  readonly #admits: (held: number) => boolean;
  /** By party; the one whose turn it is first. None is empty. */
  readonly #parties = new Map<Party, Members>();
  /** Served when no party waits. */
  readonly #borrowers = new Set<Waiter>();
  /** What those who have borrowed a slot are told when it is wanted; the first one first. */
  readonly #lent = new Set<() => void>();

  /** `admits` is asked with the number that is held, and may change its mind: call `lookAgain` then. */
  constructor(limit: number, admits: (held: number) => boolean = () => true) {
    this.#limit = checkedLimit(limit);
    this.#admits = admits;
  }

  get limit(): number {
    return this.#limit;
  }

  get held(): number {
    return this.#held;
  }

  get waiting(): number {
    return [...this.#parties.values()].reduce((sum, members) => sum + waitersOf(members), 0);
  }

  /** How many are served before one of `member` who comes now. */
  ahead(party: Party, member: Member = party): number {
    const members: Members = this.#parties.get(party) ?? new Map();
    const own = members.get(member)?.size ?? 0;
    let ahead = own;
    for (const [other, { size }] of members) if (other !== member) ahead += Math.min(size, own + 1);
    const ofParty = ahead;
    for (const [other, waiting] of this.#parties)
      if (other !== party) ahead += Math.min(waitersOf(waiting), ofParty + 1);
    return ahead;
  }

  /**
   * A slot, as soon as it is the turn of `party` and in it that of `member`, and all of that who asked before have had one. Rejects with the signal's reason
   * when it is aborted first; once granted, an abort no longer matters and the caller has to release.
   */
  acquire(signal?: AbortSignal, party: Party = this, member: Member = party): Promise<Slot> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    const slot = this.tryAcquire();
    return slot === undefined ? this.#wait(signal, party, member) : Promise.resolve(slot);
  }

  /** A slot if one is free and nobody waits for it. */
  tryAcquire(): Slot | undefined {
    return this.#parties.size === 0 && this.#hasRoom() ? this.#take() : undefined;
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

  /** Serves those who wait as far as it is possible by now. */
  lookAgain(): void {
    this.#serve();
  }

  /** Tells all who wait, borrowers excepted, that they will have none. */
  refuseWaiting(reason: Error): void {
    const waiters = [...this.#parties.values()].flatMap((members) =>
      [...members.values()].flatMap((all) => [...all]),
    );
    this.#parties.clear();
    for (const waiter of waiters) waiter.refuse(reason);
  }

  #hasRoom(): boolean {
    return this.#held < this.#limit && this.#admits(this.#held);
  }

  #wait(signal: AbortSignal | undefined, party: Party, member: Member): Promise<Slot> {
    const members: Members = this.#parties.get(party) ?? new Map();
    this.#parties.set(party, members);
    const waiters = members.get(member) ?? new Set();
    members.set(member, waiters);
    const slot = this.#waitIn(waiters, signal, () => {
      if (waiters.size === 0 && members.get(member) === waiters) members.delete(member);
      if (members.size === 0 && this.#parties.get(party) === members) this.#parties.delete(party);
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
      refuse: (reason) => {
        signal?.removeEventListener("abort", abandon);
        reject(reason);
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
    while (this.#parties.size > 0 && this.#hasRoom()) this.#serveNext();
    for (const borrower of this.#borrowers) {
      if (!this.#hasRoom()) break;
      this.#borrowers.delete(borrower);
      borrower.grant(this.#take());
    }
  }

  #serveNext(): void {
    const next = takeTurn(this.#parties);
    if (next === undefined) return;
    const [party, members] = next;
    const inTurn = takeTurn(members);
    if (inTurn === undefined) return;
    const [member, waiters] = inTurn;
    const [waiter] = waiters;
    if (waiter === undefined) return;
    waiters.delete(waiter);
    // Behind the others, if it has more.
    if (waiters.size > 0) members.set(member, waiters);
    if (members.size > 0) this.#parties.set(party, members);
    waiter.grant(this.#take());
  }

  #take(): Slot {
    this.#held += 1;
    return slotThat(() => {
      this.#held -= 1;
      this.#serve();
    });
  }
}

/** The first entry, which is not in the map any more. */
function takeTurn<Key, Value>(turns: Map<Key, Value>): readonly [Key, Value] | undefined {
  const [turn] = turns;
  if (turn !== undefined) turns.delete(turn[0]);
  return turn;
}

function waitersOf(members: Members): number {
  let sum = 0;
  for (const { size } of members.values()) sum += size;
  return sum;
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
