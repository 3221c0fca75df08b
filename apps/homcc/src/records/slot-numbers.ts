/** Numbers jobs of one host, because graphical monitors draw one row for each host and number. */
export class SlotNumbers {
  readonly #taken = new Map<string, Set<number>>();

  /** The lowest number that is free; it is taken until the returned object is disposed. */
  take(host: string): Disposable & { readonly number: number } {
    const taken = this.#taken.get(host) ?? new Set();
    this.#taken.set(host, taken);
    let number = 0;
    while (taken.has(number)) number += 1;
    taken.add(number);
    return {
      number,
      [Symbol.dispose]: () => {
        taken.delete(number);
        if (taken.size === 0) this.#taken.delete(host);
      },
    };
  }
}
