import { decodeDrain, type Drain } from "@homcc/protocol/drain";

/** What a server says when it begins no more jobs; it may come before anybody listens. */
export class DrainNotice {
  #listener: (drain: Drain) => void = () => {};
  #drain: Drain | undefined;

  /** Calls `listener` when it comes; at once when it has. */
  listen(listener: (drain: Drain) => void): void {
    this.#listener = listener;
    if (this.#drain !== undefined) listener(this.#drain);
  }

  /** The first one counts. */
  received(payload: Uint8Array): void {
    if (this.#drain !== undefined) return;
    this.#drain = decodeDrain(payload);
    this.#listener(this.#drain);
  }
}
