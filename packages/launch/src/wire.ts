import { HomccError } from "@homcc/observability/error";

/**
 * The letters of the launch protocol: little-endian integers and counted strings.
 *
 *     u8, u16, u32   unsigned, little-endian
 *     string         u32 byte count, then that many bytes, none of them NUL
 *     list<T>        u32 count, then that many T
 */
export class WireWriter {
  readonly #parts: Uint8Array[] = [];

  u8(value: number): void {
    this.#parts.push(Uint8Array.of(value));
  }

  u16(value: number): void {
    const bytes = Buffer.allocUnsafe(2);
    bytes.writeUInt16LE(value);
    this.#parts.push(bytes);
  }

  u32(value: number): void {
    const bytes = Buffer.allocUnsafe(4);
    bytes.writeUInt32LE(value);
    this.#parts.push(bytes);
  }

  string(text: string): void {
    const bytes = Buffer.from(text, "utf8");
    // A C program ends its strings at NUL: what follows would be lost without a word.
    if (bytes.includes(0)) throw protocolError("a string holds a NUL");
    this.u32(bytes.length);
    this.#parts.push(bytes);
  }

  strings(texts: readonly string[]): void {
    this.u32(texts.length);
    for (const text of texts) this.string(text);
  }

  finish(): Uint8Array {
    return Buffer.concat(this.#parts);
  }
}

/** Text from the wire, and whether the bytes were UTF-8; where they were not, U+FFFD stands for them. */
export interface WireText {
  readonly text: string;
  readonly isUtf8: boolean;
}

/** Reads what WireWriter writes; every length is checked against what is there before memory is taken. */
export class WireReader {
  readonly #bytes: Buffer;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u8(): number {
    return this.#bytes.readUInt8(this.#take(1));
  }

  u16(): number {
    return this.#bytes.readUInt16LE(this.#take(2));
  }

  u32(): number {
    return this.#bytes.readUInt32LE(this.#take(4));
  }

  bytes(): Uint8Array {
    const length = this.u32();
    const start = this.#take(length);
    const bytes = this.#bytes.subarray(start, start + length);
    if (bytes.includes(0)) throw protocolError("a string holds a NUL");
    return bytes;
  }

  text(): WireText {
    return decodeText(this.bytes());
  }

  /** Text of our own making, which is always UTF-8. */
  string(): string {
    const { text, isUtf8 } = this.text();
    if (!isUtf8) throw protocolError("a string is not UTF-8");
    return text;
  }

  /** `read` must take at least `leastBytes` bytes per element: that bounds the count by what has arrived. */
  list<T>(leastBytes: number, read: (reader: this) => T): T[] {
    const count = this.u32();
    if (count > (this.#bytes.length - this.#offset) / leastBytes) throw protocolError("a list is cut off");
    const elements: T[] = [];
    for (let index = 0; index < count; index += 1) elements.push(read(this));
    return elements;
  }

  #take(count: number): number {
    const start = this.#offset;
    if (count > this.#bytes.length - start) throw protocolError("a message is cut off");
    this.#offset = start + count;
    return start;
  }
}

// A byte order mark at the start of a file name is part of the name.
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function decodeText(bytes: Uint8Array): WireText {
  try {
    return { text: strictDecoder.decode(bytes), isUtf8: true };
  } catch {
    return { text: Buffer.from(bytes).toString("utf8"), isUtf8: false };
  }
}

export function protocolError(message: string): HomccError {
  return new HomccError("ERR_HOMCC_PROTOCOL", `launch protocol: ${message}`);
}
