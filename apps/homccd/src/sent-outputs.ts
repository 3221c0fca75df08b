import type { Digest } from "@homcc/cas/digest";

/** 250 bytes each: the objects of a large project. */
const maxRemembered = 16_384;

/** What was sent to one client, by whose output it was. */
export class SentOutputs {
  /** The least recently sent first. */
  readonly #paths = new Map<Digest, string>();

  note(digest: Digest, path: string): void {
    this.#paths.delete(digest);
    this.#paths.set(digest, path);
    const [oldest] = this.#paths.keys();
    if (this.#paths.size > maxRemembered && oldest !== undefined) this.#paths.delete(oldest);
  }

  /** Whether these contents are another file's, as far as this connection knows: not what was at `path` before. */
  isOfAnother(path: string, digest: Digest): boolean {
    const known = this.#paths.get(digest);
    return known !== undefined && known !== path;
  }
}
