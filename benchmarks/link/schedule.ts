interface Entry {
  readonly atMs: number;
  readonly run: () => void;
}

/** Node's timers are up to this late. */
const timerGrainMs = 1.2;
/** A wait inside one turn is no longer: sockets are looked at in between. */
const napMs = 0.25;

/**
 * Things to do at times that are finer than Node's timers, which count whole milliseconds: a LAN has a round trip of
 * one. The rest of a millisecond is slept through, so this is for a process that does nothing else.
 */
export class Schedule {
  /** A binary heap, the earliest first; equal times in the order in which they came. */
  readonly #heap: (Entry & { readonly order: number })[] = [];
  readonly #cell = new Int32Array(new SharedArrayBuffer(4));
  #order = 0;
  #timer: NodeJS.Timeout | undefined;
  #isNapping = false;

  /** `atMs` as in `performance.now()`; not before the current turn is over. */
  at(atMs: number, run: () => void): void {
    this.#push({ atMs, run, order: this.#order++ });
    if (this.#heap[0]?.atMs === atMs) this.#arm();
  }

  #arm(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const [next] = this.#heap;
    if (next === undefined || this.#isNapping) return;
    const waitMs = next.atMs - performance.now();
    if (waitMs > timerGrainMs) {
      this.#timer = setTimeout(() => this.#turn(), Math.max(1, Math.floor(waitMs - timerGrainMs)));
      return;
    }
    this.#isNapping = true;
    setImmediate(() => {
      this.#isNapping = false;
      this.#nap();
      this.#turn();
    });
  }

  #nap(): void {
    const waitMs = (this.#heap[0]?.atMs ?? 0) - performance.now();
    if (waitMs > 0) Atomics.wait(this.#cell, 0, 0, Math.min(waitMs, napMs));
  }

  #turn(): void {
    const nowMs = performance.now();
    for (let next = this.#heap[0]; next !== undefined && next.atMs <= nowMs; next = this.#heap[0]) {
      this.#pop();
      next.run();
    }
    this.#arm();
  }

  #push(entry: Entry & { readonly order: number }): void {
    const heap = this.#heap;
    let at = heap.length;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || !isBefore(entry, parent)) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      const left = heap[2 * at + 1];
      const right = heap[2 * at + 2];
      const isRight = left !== undefined && right !== undefined && isBefore(right, left);
      const child = isRight ? right : left;
      if (child === undefined || !isBefore(child, last)) break;
      heap[at] = child;
      at = 2 * at + (isRight ? 2 : 1);
    }
    heap[at] = last;
  }
}

function isBefore(
  one: Entry & { readonly order: number },
  other: Entry & { readonly order: number },
): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order);
}
