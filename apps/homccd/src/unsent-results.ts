import type { Slot, SlotQueue } from "@homcc/scheduler/slots";

/**
 * Results of one client that are not sent yet: their texts lie in memory, their outputs on the disk. While there are more
 * than `maxBytes` of them the client gets no slot, so a line that is slow, or a client that does not read at all, costs
 * this server a bounded amount; its slots serve others.
 */
export class UnsentResults {
  readonly #maxBytes: number;
  readonly #client: object;
  #bytes = 0;
  #sent = Promise.withResolvers<void>();

  /** `client`: whose turn it is when this connection gets a slot; it may have others. */
  constructor(maxBytes: number, client: object) {
    this.#maxBytes = maxBytes;
    this.#client = client;
  }

  /** How many jobs are served before one of this connection that comes now. */
  ahead(slots: SlotQueue): number {
    return slots.ahead(this.#client, this);
  }

  /** Counts a result until it is disposed of. */
  add(bytes: number): Disposable {
    this.#bytes += bytes;
    return {
      [Symbol.dispose]: () => {
        this.#bytes -= bytes;
        this.#sent.resolve();
        this.#sent = Promise.withResolvers();
      },
    };
  }

  /** As `slots.acquire` in the client's turn, once there is room for another result. A slot is never held while waiting for room. */
  async acquireSlot(slots: SlotQueue, signal: AbortSignal): Promise<Slot> {
    for (;;) {
      await this.#room(signal);
      const slot = await slots.acquire(signal, this.#client, this);
      if (this.#bytes <= this.#maxBytes) return slot;
      slot.release();
    }
  }

  async #room(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const aborted = Promise.withResolvers<never>();
    const abort = (): void => aborted.reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    try {
      while (this.#bytes > this.#maxBytes) await Promise.race([this.#sent.promise, aborted.promise]);
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }
}
