/*
 * Where the pieces of a source's text end, for lexers that go over its bytes once. All take spliced bytes (`spliceLines`) and
 * give positions in them.
 */

const newline = 0x0a;
const carriageReturn = 0x0d;
const doubleQuote = 0x22;
const singleQuote = 0x27;
const parenthesis = 0x28;
const closingParenthesis = 0x29;
const slash = 0x2f;
const backslash = 0x5c;

/** 1 for what ends the fast run over text: line ends, quotes and the slash of a comment. */
export const special = new Uint8Array(256);
for (const byte of [newline, carriageReturn, doubleQuote, singleQuote, slash]) special[byte] = 1;

/** 1 for what identifiers and numbers consist of. */
export const word = new Uint8Array(256);
for (let byte = 0; byte < 256; byte += 1) {
  const isWord = byte >= 0x80 || byte === 0x24 || /\w/.test(String.fromCharCode(byte));
  word[byte] = isWord ? 1 : 0;
}

/** Of a raw string. As gcc: a longer delimiter is none. */
export const maxDelimiterBytes = 16;

/** Whether a raw string's delimiter may have it. */
export function isDelimiter(byte: number | undefined): boolean {
  if (byte === undefined || byte === parenthesis || byte === closingParenthesis || byte === backslash)
    return false;
  return byte > 0x20 && byte !== doubleQuote;
}

/** The line end at or after `at`; `\r` ends a line too. */
export function endOfLine(bytes: Uint8Array, at: number): number {
  let end = at;
  while (end < bytes.length && bytes[end] !== newline && bytes[end] !== carriageReturn) end += 1;
  return end;
}

/** Behind the quote that closes the one at `start`, or the end of the line. */
export function endOfQuoted(bytes: Uint8Array, start: number, quote: number): number {
  let at = start + 1;
  for (; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (byte === newline || byte === carriageReturn) break;
    if (byte === backslash) {
      const next = bytes[at + 1];
      if (next !== newline && next !== carriageReturn) at += 1;
    } else if (byte === quote) {
      at += 1;
      break;
    }
  }
  return Math.min(at, bytes.length);
}

/** Behind the character whose quote is at `at`; a quote that separates digits, as in 1'000'000, is passed alone. */
export function endOfCharacter(bytes: Uint8Array, at: number): number {
  const start = startOfWord(bytes, at);
  const first = bytes[start] ?? 0;
  return start < at && first >= 0x30 && first <= 0x39 ? at + 1 : endOfQuoted(bytes, at, singleQuote);
}

/** Where the word that ends before `at` begins; in numbers, `'` between digits belongs to it. */
export function startOfWord(bytes: Uint8Array, at: number): number {
  let start = at;
  while (start > 0) {
    const before = bytes[start - 1] ?? 0;
    const separator = before === singleQuote && start > 1 && word[bytes[start - 2] ?? 0] === 1;
    if (word[before] === 0 && !separator) break;
    start -= 1;
  }
  return start;
}
