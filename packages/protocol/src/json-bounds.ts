import { HomccError } from "@homcc/observability/error";
import { maxMessageDepth, maxMessageValues } from "./limits.ts";

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/**
 * Throws ERR_HOMCC_PROTOCOL when JSON text nests too deeply or holds too many values: 8 MB of `[[],[],…` would be 100 MB
 * of heap. Whether it is JSON at all, the parser says.
 */
export function checkJsonBounds(text: Uint8Array): void {
  let depth = 0;
  let values = 0;
  for (let index = 0; index < text.byteLength; index++) {
    const byte = text[index] ?? 0;
    switch (byte) {
      case quote:
        index = endOfString(text, index + 1);
        break;
      case openBracket:
      case openBrace:
        if (++depth > maxMessageDepth) throw beyond(`nested deeper than ${maxMessageDepth}`);
        values++;
        break;
      case closeBracket:
      case closeBrace:
        depth--;
        break;
      case comma:
        if (++values > maxMessageValues) throw beyond(`with more than ${maxMessageValues} values`);
        break;
      default:
    }
  }
}

/** Index of the closing quote, or the text's length. */
function endOfString(text: Uint8Array, start: number): number {
  let end = text.indexOf(quote, start);
  while (end !== -1 && isEscaped(text, start, end)) end = text.indexOf(quote, end + 1);
  return end === -1 ? text.byteLength : end;
}

function isEscaped(text: Uint8Array, start: number, at: number): boolean {
  let backslashes = 0;
  while (at - backslashes > start && text[at - backslashes - 1] === backslash) backslashes++;
  return backslashes % 2 === 1;
}

function beyond(what: string): HomccError {
  return new HomccError("ERR_HOMCC_PROTOCOL", `a message ${what}`);
}
