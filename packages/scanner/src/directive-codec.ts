import { type Directive, type DirectiveList, directiveKinds, guardOf } from "./directives.ts";

/**
 * <list>      ::= <version> <flags> <hidden>? <count> <text>* <count> <directive>*
 * <version>   ::= 0x01
 * <flags>     ::= byte: 1 = counts, 2 = has <hidden>
 * <hidden>    ::= <text>
 * <directive> ::= <kind> <text> <text>?          the second only of `define`
 * <kind>      ::= byte: index in `directiveKinds`
 * <text>      ::= <count> bytes                  Latin-1
 * <count>     ::= LEB128, at most 5 bytes
 *
 * The first texts are the uncertain macros. A guard follows from the directives. Version 1 is the first.
 */
export const directiveListVersion = 1;

const countsFlag = 1;
const hiddenFlag = 2;
const defineKind = directiveKinds.indexOf("define");

export function encodeDirectiveList(list: DirectiveList): Uint8Array {
  const writer = new Writer();
  writer.byte(directiveListVersion);
  writer.byte((list.counts ? countsFlag : 0) | (list.hidden === undefined ? 0 : hiddenFlag));
  if (list.hidden !== undefined) writer.text(list.hidden);
  writer.count(list.uncertain.length);
  for (const macro of list.uncertain) writer.text(macro);
  writer.count(list.directives.length);
  for (const { kind, operand, definition } of list.directives) {
    writer.byte(directiveKinds.indexOf(kind));
    writer.text(operand);
    if (kind === "define") writer.text(definition);
  }
  return writer.bytes();
}

/** `undefined` for bytes of another version, and for what no encoder writes. */
export function decodeDirectiveList(bytes: Uint8Array): DirectiveList | undefined {
  const reader = new Reader(bytes);
  if (reader.byte() !== directiveListVersion) return undefined;
  const flags = reader.byte();
  if (flags > (countsFlag | hiddenFlag)) return undefined;
  const hidden = (flags & hiddenFlag) === 0 ? undefined : reader.text();
  const uncertain: string[] = [];
  for (let left = reader.count(); left > 0 && !reader.failed; left -= 1) uncertain.push(reader.text());
  const directives: Directive[] = [];
  for (let left = reader.count(); left > 0 && !reader.failed; left -= 1) {
    const number = reader.byte();
    const kind = directiveKinds[number];
    if (kind === undefined) return undefined;
    const operand = reader.text();
    directives.push({ kind, operand, definition: number === defineKind ? reader.text() : "" });
  }
  if (reader.failed || !reader.atEnd) return undefined;
  return {
    directives,
    guard: guardOf(directives),
    counts: (flags & countsFlag) !== 0,
    uncertain,
    hidden,
  };
}

class Writer {
  #buffer = Buffer.allocUnsafe(1024);
  #length = 0;

  byte(value: number): void {
    this.#reserve(1);
    this.#buffer[this.#length] = value;
    this.#length += 1;
  }

  count(value: number): void {
    let rest = value;
    for (; rest > 0x7f; rest >>>= 7) this.byte((rest & 0x7f) | 0x80);
    this.byte(rest);
  }

  text(value: string): void {
    this.count(value.length);
    this.#reserve(value.length);
    this.#length += this.#buffer.write(value, this.#length, "latin1");
  }

  bytes(): Uint8Array {
    return Uint8Array.prototype.slice.call(this.#buffer, 0, this.#length);
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#length + bytes));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}

/** Reads zeros and fails from the first byte on that is not there. */
class Reader {
  readonly #buffer: Buffer;
  #at = 0;
  failed = false;

  constructor(bytes: Uint8Array) {
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get atEnd(): boolean {
    return this.#at === this.#buffer.length;
  }

  byte(): number {
    const value = this.#buffer[this.#at];
    this.#at += 1;
    if (value === undefined) this.failed = true;
    return value ?? 0;
  }

  count(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    this.failed = true;
    return 0;
  }

  text(): string {
    const length = this.count();
    const end = this.#at + length;
    if (end > this.#buffer.length) {
      this.failed = true;
      return "";
    }
    const text = this.#buffer.toString("latin1", this.#at, end);
    this.#at = end;
    return text;
  }
}
