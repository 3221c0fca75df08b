import type { SlotQueue } from "@homcc/scheduler/slots";

/** A question costs 50 µs with 500 inputs, and where the oldest jobs stay away the others mostly do. */
const mostAsked = 4;

/** Jobs that are compiled here or will be: those that hold or wait for a local slot, and those that were told to and do not yet. */
export class HomeLoad {
  readonly #slots: Pick<SlotQueue, "held" | "waiting">;
  /** Jobs that may come home, the oldest first. */
  readonly #undecided = new Set<() => boolean>();
  #promised = 0;

  constructor(slots: Pick<SlotQueue, "held" | "waiting">) {
    this.#slots = slots;
  }

  get jobs(): number {
    return this.#slots.held + this.#slots.waiting + this.#promised;
  }

  /** A local slot became free: one job that is better here than where it waits comes now, not at its next second thought. */
  freed(): void {
    let asked = 0;
    for (const comesHome of this.#undecided) if (comesHome() || ++asked === mostAsked) return;
  }

  /** `comesHome`: asked when a slot became free, until the result is called. */
  whenFreed(comesHome: () => boolean): () => void {
    this.#undecided.add(comesHome);
    return () => this.#undecided.delete(comesHome);
  }

  /** One more job comes, until it waits for its slot. */
  promise(): Disposable {
    this.#promised++;
    let isOpen = true;
    return {
      [Symbol.dispose]: () => {
        if (isOpen) this.#promised--;
        isOpen = false;
      },
    };
  }
}
