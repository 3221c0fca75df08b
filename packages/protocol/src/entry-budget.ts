import { HomccError } from "@homcc/observability/error";
import type { SessionEntry } from "./messages.ts";

/** Heap of one numbered entry without its text: 491,520 of them took 60 MB with 30 characters each. */
const entryBytes = 128;

/**
 * Bounds the memory for the entries of all sessions of a server together: each session is bounded too, but a hundred of
 * them could fill the heap, and the server would be gone for everybody.
 */
export class EntryBudget {
  readonly #maxBytes: number;
  #usedBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Gives what the entries cost. Throws ERR_HOMCC_PROTOCOL, with nothing taken, when there is no room. */
  take(entries: readonly SessionEntry[]): number {
    let bytes = 0;
    for (const entry of entries) bytes += entryBytes + entry.path.length;
    if (this.#usedBytes + bytes > this.#maxBytes) {
      throw new HomccError("ERR_HOMCC_PROTOCOL", "the server has no room for more file names of its clients");
    }
    this.#usedBytes += bytes;
    return bytes;
  }

  giveBack(bytes: number): void {
    this.#usedBytes -= bytes;
  }
}
