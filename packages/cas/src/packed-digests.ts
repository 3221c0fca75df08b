import { type Digest, hashOf, parseDigest, sizeBytesOf } from "./digest.ts";
import { PackedRows } from "./packed-rows.ts";

const hashBytes = 32;
const valueBytes = hashBytes + Float64Array.BYTES_PER_ELEMENT;
/** With the one that is being filled: half a million digests and more. */
const maxSegments = 9;

/**
 * Digests of half a million files by a text that says which contents they have, such as path and stat: 64 bytes each, 38 MB
 * for 590,000. Then the oldest ninth is forgotten.
 */
export class PackedDigests {
  readonly #rows: PackedRows;
  readonly #value = Buffer.alloc(valueBytes);

  constructor(segmentRows?: number) {
    this.#rows = new PackedRows({
      valueBytes,
      maxSegments,
      ...(segmentRows === undefined ? {} : { segmentRows }),
    });
  }

  get size(): number {
    return this.#rows.size;
  }

  get bytes(): number {
    return this.#rows.bytes;
  }

  get(identity: string): Digest | undefined {
    const value = this.#rows.get(identity);
    if (value === undefined) return undefined;
    return parseDigest(`${value.toString("hex", 0, hashBytes)}/${value.readDoubleLE(hashBytes)}`);
  }

  /** What is known already keeps its age. */
  add(identity: string, digest: Digest): void {
    this.#value.write(hashOf(digest), "hex");
    this.#value.writeDoubleLE(sizeBytesOf(digest), hashBytes);
    this.#rows.add(identity, this.#value);
  }
}
