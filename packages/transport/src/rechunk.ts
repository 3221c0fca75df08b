/** A piece of a stream's data; `last` is true for exactly one, which may be empty. */
export interface Chunk {
  readonly bytes: Uint8Array;
  readonly last: boolean;
}

/**
 * Cuts and joins `source` into pieces of `chunkBytes`, the last one shorter. Joining makes small files of one result
 * share a frame and its zstd window; cutting lets several streams take turns.
 */
export async function* rechunk(
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  chunkBytes: number,
): AsyncGenerator<Chunk, void, undefined> {
  let parts: Uint8Array[] = [];
  let heldBytes = 0;
  for await (let rest of source) {
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
