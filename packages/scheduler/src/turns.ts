/** Who waits, by party: the parties take turns, and within a party who came first is first. Iterating over all costs what is looked at. */
export class Turns<Waiter> {
  /** The one whose turn it is first; none is empty. */
  readonly #parties = new Map<number, Set<Waiter>>();
  readonly #partyOf = new Map<Waiter, number>();

  get size(): number {
    return this.#partyOf.size;
  }

  add(waiter: Waiter, party: number): void {
    const waiters = this.#parties.get(party) ?? new Set();
    this.#parties.set(party, waiters.add(waiter));
    this.#partyOf.set(waiter, party);
  }

  /** It waits no longer; whose turn it is stays as it is. */
  delete(waiter: Waiter): void {
    const party = this.#partyOf.get(waiter);
    if (party === undefined) return;
    this.#partyOf.delete(waiter);
    const waiters = this.#parties.get(party);
    waiters?.delete(waiter);
    if (waiters?.size === 0) this.#parties.delete(party);
  }

  /** It has what it waited for: its party is behind the others. */
  served(waiter: Waiter): void {
    const party = this.#partyOf.get(waiter);
    this.delete(waiter);
    if (party === undefined) return;
    const rest = this.#parties.get(party);
    if (rest === undefined) return;
    this.#parties.delete(party);
    this.#parties.set(party, rest);
  }

  /** All of them: the first of each party, then the second of each. They may be deleted and served meanwhile. */
  *inTurn(): Generator<Waiter, void, void> {
    let rounds = [...this.#parties.values()].map((waiters) => waiters.values());
    while (rounds.length > 0) {
      const more: typeof rounds = [];
      for (const round of rounds) {
        const { value, done } = round.next();
        if (done === true) continue;
        more.push(round);
        yield value;
      }
      rounds = more;
    }
  }
}
