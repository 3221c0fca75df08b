import type { SlotQueue } from "@homcc/scheduler/slots";

/** Jobs that are compiled here or will be: those that hold or wait for a local slot, and those that were told to and do not yet. */
export class HomeLoad {
  readonly #slots: Pick<SlotQueue, "held" | "waiting">;
  #promised = 0;

  constructor(slots: Pick<SlotQueue, "held" | "waiting">) {
    this.#slots = slots;
  }

  get jobs(): number {
    return this.#slots.held + this.#slots.waiting + this.#promised;
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
