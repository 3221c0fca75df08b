import type { Packed } from "@homcc/protocol/compression";

/** A piece of a stream's data; `last` is true for exactly one, which may be empty. */
export interface Chunk {
  readonly bytes: Uint8Array | Packed;
  readonly last: boolean;
}

/**
 * Cuts and joins `source` into pieces of `chunkBytes`, the last one shorter. Joining makes small files of one result
 * share a frame and its zstd window; cutting lets several streams take turns. What is packed already stays as it is.
 */
export async function* rechunk(
  source: AsyncIterable<Uint8Array | Packed> | Iterable<Uint8Array | Packed>,
  chunkBytes: number,
): AsyncGenerator<Chunk, void, undefined> {
  let parts: Uint8Array[] = [];
  let heldBytes = 0;
  for await (const item of source) {
    if (!(item instanceof Uint8Array)) {
      if (heldBytes > 0) yield { bytes: join(parts), last: false };
      parts = [];
      heldBytes = 0;
      yield { bytes: item, last: false };
      continue;
    }
    let rest = item;
    while (heldBytes + rest.byteLength > chunkBytes) {
      const taken = chunkBytes - heldBytes;
      if (taken > 0) parts.push(rest.subarray(0, taken));
      yield { bytes: join(parts), last: false };
      rest = rest.subarray(taken);
      parts = [];
      heldBytes = 0;
    }
    if (rest.byteLength > 0) parts.push(rest);
    heldBytes += rest.byteLength;
  }
  yield { bytes: join(parts), last: true };
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const [first, second] = parts;
  return first !== undefined && second === undefined ? first : Buffer.concat(parts);
}
