/**
 * Python's way to keep bytes that are no UTF-8 in text: byte 0xNN becomes the lone surrogate U+DCNN. Paths and messages
 * of compilers go through homcc 1.x like that.
 */
const escapedFrom = 0xdc00;

export function textOfBytes(bytes: Uint8Array): string {
  const whole = decode(bytes);
  if (whole !== undefined) return whole;
  let text = "";
  for (let at = 0; at < bytes.length;) {
    const lengths = [1, 2, 3, 4].filter((length) => at + length <= bytes.length);
    const length = lengths.find((candidate) => decode(bytes.subarray(at, at + candidate)) !== undefined);
    text +=
      length === undefined
        ? String.fromCharCode(escapedFrom + (bytes[at] ?? 0))
        : decode(bytes.subarray(at, at + length));
    at += length ?? 1;
  }
  return text;
}

export function bytesOfText(text: string): Buffer {
  if (text.isWellFormed()) return Buffer.from(text);
  const parts = Array.from(text, (character) => {
    const unit = character.charCodeAt(0);
    const isEscaped = character.length === 1 && unit >= 0xdc80 && unit <= 0xdcff;
    return isEscaped ? Buffer.from([unit - escapedFrom]) : Buffer.from(character);
  });
  return Buffer.concat(parts);
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decode(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}
