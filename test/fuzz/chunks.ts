import { mustEqual } from "./target.ts";
import { orRefused } from "./refusals.ts";
import { Random } from "./random.ts";

/** `bytes` as a network may bring them: in pieces whose sizes the bytes themselves decide, so that a try can be repeated. */
export function cutAsOnTheWire(bytes: Uint8Array): Uint8Array[] {
  const random = new Random(bytes.reduce((sum, byte) => (Math.imul(sum, 31) + byte) | 0, bytes.length));
  const longest = random.pick([1, 3, 17, 200, 5000]);
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const size = random.from(1, longest);
    // A copy: who keeps a view of what was read would see it change.
    pieces.push(Uint8Array.from(bytes.subarray(at, at + size)));
    at += size;
  }
  return pieces;
}

/** Gives all that `read` gave for the chunks of a stream, and whether it refused the stream in the end. */
interface Reading<T> {
  readonly found: readonly T[];
  readonly isRefused: boolean;
}

/**
 * Reads the bytes at once and in chunks, which must come to the same; of a stream that is refused the things before
 * the bad one may be lost. `open` gives a new reader.
 */
export function readBothWays<T>(
  bytes: Uint8Array,
  open: () => (chunk: Uint8Array) => readonly T[],
  inWords: (thing: T) => string,
): readonly T[] {
  const whole = readChunks([bytes], open());
  const parts = readChunks(cutAsOnTheWire(bytes), open());
  mustEqual("refused in chunks", parts.isRefused, whole.isRefused);
  if (!whole.isRefused) mustEqual("found in chunks", parts.found.map(inWords), whole.found.map(inWords));
  return parts.found;
}

function readChunks<T>(chunks: readonly Uint8Array[], read: (chunk: Uint8Array) => readonly T[]): Reading<T> {
  const found: T[] = [];
  const isWhole = orRefused(() => {
    for (const chunk of chunks) found.push(...read(chunk));
    return true;
  });
  return { found, isRefused: isWhole !== true };
}
