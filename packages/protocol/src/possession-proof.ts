import { createHash, type Hash } from "node:crypto";

/*
 * proof := SHA-256(nonce:32 bytes  content*)
 *
 * The contents in the order in which the server named them. It also named their sizes, so nothing has to part them. Who
 * knows only some cannot compute it, and one nonce's proof is worth nothing for another.
 */

/** What a client that has the contents answers, and what the server compares it with. */
export class PossessionProof {
  #hash: Hash;

  /** `nonce`: 64 hexadecimal digits. */
  constructor(nonce: string) {
    this.#hash = createHash("sha256").update(Buffer.from(nonce, "hex"));
  }

  /** A piece of a content; pieces of one content one after the other. */
  update(piece: Uint8Array): void {
    this.#hash.update(piece);
  }

  /** Takes back, when called, what was added since. */
  mark(): () => void {
    const before = this.#hash.copy();
    return () => {
      this.#hash = before;
    };
  }

  /** 64 hexadecimal digits; nothing can be added afterwards. */
  finish(): string {
    return this.#hash.digest("hex");
  }
}
