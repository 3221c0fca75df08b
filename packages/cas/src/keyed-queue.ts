/** Runs tasks of one key one after the other; those of different keys do not wait for each other. */
export class KeyedQueue<Key> {
  readonly #last = new Map<Key, Promise<unknown>>();

  async run<Result>(key: Key, task: () => Promise<Result>): Promise<Result> {
    const before = this.#last.get(key);
    const result = before === undefined ? task() : before.then(task);
    const settled = result.catch(() => {});
    this.#last.set(key, settled);
    try {
      return await result;
    } finally {
      if (this.#last.get(key) === settled) this.#last.delete(key);
    }
  }
}
