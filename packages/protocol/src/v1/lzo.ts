import { setImmediate as turn } from "node:timers/promises";
import { HomccError } from "@homcc/observability/error";

/**
 * LZO1X, the compression most homcc 1.x users have configured. A stream is a row of instructions: literal runs and
 * matches, each match with up to three literals behind it. The first byte of an instruction tells what it is:
 *
 *     0–15     after a match without literals: a literal run; else a match of 2 or 3 bytes, close by
 *     16–31    a match up to 48 KiB away; with a distance of 16 KiB exactly: the end
 *     32–63    a match up to 16 KiB away
 *     64–255   a match of 3 to 8 bytes up to 2 KiB away
 *
 * A first byte above 17 begins the stream with a literal run. Lengths that do not fit continue as zero bytes (255 each)
 * and a last byte. The packages there are bring GPL code with them.
 *
 * Both ways run in the event loop at 150 MB/s on one core, in steps between which others have their turn: an object of
 * 30 MB takes 200 ms in all and 2 ms at a time; the turns themselves cost less than can be measured.
 */

/** Of the uncompressed side, for one step. */
export const lzoStepBytes: number = 256 << 10;

const endInstruction = 17;
const maxDistance = 0xbfff;
const nearDistance = 0x800;
const middleDistance = 0x4000;
/** Shorter ones are not looked for: the hash is over four bytes. */
const minMatchBytes = 4;
const hashBits = 14;

/** The LZO1X stream of `bytes`; any decoder gives them back. */
export async function lzoCompress(bytes: Uint8Array): Promise<Uint8Array> {
  const encoder = new Encoder(bytes);
  while (!encoder.step()) await turn();
  return encoder.end();
}

/** Exactly `sizeBytes` bytes, or ERR_HOMCC_PROTOCOL: never reads or writes outside of what was given. */
export async function lzoDecompress(stream: Uint8Array, sizeBytes: number): Promise<Uint8Array> {
  const decoder = new Decoder(stream, sizeBytes);
  for (;;) {
    const bytes = decoder.step();
    if (bytes !== undefined) return bytes;
    await turn();
  }
}

class Encoder {
  readonly #input: Uint8Array;
  readonly #output: Uint8Array;
  readonly #positions = new Int32Array(1 << hashBits).fill(-1);
  #at = 0;
  #position = 0;
  #literalsFrom = 0;
  /** Where the first byte of the last match lies whose low bits may count literals; -1 before any. */
  #countAt = -1;

  constructor(input: Uint8Array) {
    this.#input = input;
    // The worst case: literals only, with a length byte every 255 of them.
    this.#output = new Uint8Array(input.length + Math.ceil(input.length / 16) + 64);
  }

  /** True when all of the input is done but the literals at its end. */
  step(): boolean {
    const input = this.#input;
    const lastHashed = input.length - minMatchBytes;
    const until = Math.min(this.#position + lzoStepBytes, lastHashed + 1);
    let position = this.#position;
    while (position < until) {
      const candidate = this.#lookUp(position);
      const distance = position - candidate;
      if (candidate < 0 || distance > maxDistance || !this.#equal(candidate, position)) {
        // Incompressible stretches are passed in growing steps.
        position += 1 + ((position - this.#literalsFrom) >> 5);
        continue;
      }
      // A step has an end in long runs too: the next one goes on with another match.
      const longest = Math.min(input.length - position, lzoStepBytes);
      let length = minMatchBytes;
      while (length < longest && input[candidate + length] === input[position + length]) length += 1;
      this.#literals(this.#literalsFrom, position);
      this.#match(distance, length);
      position += length;
      this.#literalsFrom = position;
    }
    this.#position = position;
    return position > lastHashed;
  }

  end(): Uint8Array {
    this.#literals(this.#literalsFrom, this.#input.length);
    this.#byte(endInstruction);
    this.#byte(0);
    this.#byte(0);
    return this.#output.subarray(0, this.#at);
  }

  /** The last place with the same hash, which from now on is `position`. */
  #lookUp(position: number): number {
    const hash = Math.imul(this.#word(position), 0x9e3779b1) >>> (32 - hashBits);
    const candidate = this.#positions[hash] ?? -1;
    this.#positions[hash] = position;
    return candidate;
  }

  #word(at: number): number {
    const input = this.#input;
    return (
      (input[at] ?? 0) |
      ((input[at + 1] ?? 0) << 8) |
      ((input[at + 2] ?? 0) << 16) |
      ((input[at + 3] ?? 0) << 24)
    );
  }

  #equal(one: number, other: number): boolean {
    return this.#word(one) === this.#word(other);
  }

  #byte(value: number): void {
    this.#output[this.#at++] = value;
  }

  #literals(from: number, to: number): void {
    const count = to - from;
    if (count === 0) return;
    if (this.#countAt < 0 && count <= 238) this.#byte(17 + count);
    else if (this.#countAt >= 0 && count <= 3)
      this.#output[this.#countAt] = (this.#output[this.#countAt] ?? 0) | count;
    else if (count <= 18) this.#byte(count - 3);
    else {
      this.#byte(0);
      this.#longLength(count - 18);
    }
    this.#output.set(this.#input.subarray(from, to), this.#at);
    this.#at += count;
  }

  #match(distance: number, length: number): void {
    if (length <= 8 && distance <= nearDistance) {
      const back = distance - 1;
      this.#countAt = this.#at;
      this.#byte(((length - 1) << 5) | ((back & 7) << 2));
      this.#byte(back >> 3);
      return;
    }
    const isMiddle = distance <= middleDistance;
    const back = isMiddle ? distance - 1 : distance - middleDistance;
    const first = isMiddle ? 32 : 16 | ((back >> 11) & 8);
    const shortest = isMiddle ? 33 : 9;
    if (length <= shortest) this.#byte(first | (length - 2));
    else {
      this.#byte(first);
      this.#longLength(length - shortest);
    }
    this.#countAt = this.#at;
    this.#byte((back << 2) & 0xff);
    this.#byte((back >> 6) & 0xff);
  }

  #longLength(rest: number): void {
    let left = rest;
    while (left > 255) {
      this.#byte(0);
      left -= 255;
    }
    this.#byte(left);
  }
}

class Decoder {
  readonly #stream: Uint8Array;
  readonly #output: Uint8Array;
  #at = 0;
  #filledBytes = 0;
  /** Literals that the last instruction brought: 0 to 3 behind a match, 4 for a run. */
  #literals: number;
  /** Bytes of a match that are still to be copied, and from how far back. */
  #matchLeft = 0;
  #distance = 0;

  constructor(stream: Uint8Array, sizeBytes: number) {
    this.#stream = stream;
    this.#output = new Uint8Array(sizeBytes);
    this.#literals = this.#start();
  }

  /** The bytes when all of them are there. Literal runs are copied at once, at 0.1 ms for each MiB. */
  step(): Uint8Array | undefined {
    const until = this.#filledBytes + lzoStepBytes;
    while (this.#filledBytes < until) {
      if (this.#matchLeft > 0) this.#copyMatch(until);
      else if (this.#takeInstruction()) return this.#output;
    }
    return undefined;
  }

  /** True at the end. A match is copied afterwards. */
  #takeInstruction(): boolean {
    const instruction = this.#byte();
    let length: number;
    let distance: number;
    let counter = instruction;
    if (instruction >= 64) {
      length = (instruction >> 5) + 1;
      distance = ((instruction >> 2) & 7) + (this.#byte() << 3) + 1;
    } else if (instruction >= 16) {
      const isMiddle = instruction >= 32;
      const inByte = instruction & (isMiddle ? 31 : 7);
      length = 2 + (inByte > 0 ? inByte : this.#longLength(isMiddle ? 31 : 7));
      counter = this.#byte();
      const low = (counter >> 2) + (this.#byte() << 6);
      distance = isMiddle ? low + 1 : low + ((instruction & 8) << 11) + middleDistance;
      if (!isMiddle && distance === middleDistance) return this.#isEnd(length);
    } else if (this.#literals === 0) {
      this.#copyLiterals(3 + (instruction > 0 ? instruction : this.#longLength(15)));
      this.#literals = 4;
      return false;
    } else {
      length = this.#literals === 4 ? 3 : 2;
      const base = this.#literals === 4 ? nearDistance : 0;
      distance = (instruction >> 2) + (this.#byte() << 2) + 1 + base;
    }
    if (distance > this.#filledBytes || this.#filledBytes + length > this.#output.length) throw damaged();
    this.#distance = distance;
    this.#matchLeft = length;
    this.#literals = counter & 3;
    return false;
  }

  #start(): number {
    const first = this.#stream[0] ?? 0;
    if (first <= 17) return 0;
    this.#at = 1;
    const count = first - 17;
    this.#copyLiterals(count);
    return Math.min(count, 4);
  }

  #isEnd(length: number): true {
    const isWhole = this.#at === this.#stream.length && this.#filledBytes === this.#output.length;
    if (!isWhole || length !== 3) throw damaged();
    return true;
  }

  #byte(): number {
    const byte = this.#stream[this.#at++];
    if (byte === undefined) throw damaged();
    return byte;
  }

  #longLength(base: number): number {
    let length = base;
    for (;;) {
      const byte = this.#byte();
      if (byte > 0) return length + byte;
      length += 255;
      if (length > this.#output.length) throw damaged();
    }
  }

  #copyLiterals(count: number): void {
    const end = this.#at + count;
    if (end > this.#stream.length || this.#filledBytes + count > this.#output.length) throw damaged();
    this.#output.set(this.#stream.subarray(this.#at, end), this.#filledBytes);
    this.#at = end;
    this.#filledBytes += count;
  }

  /** What fits before `until`; after its last byte the literals behind it. */
  #copyMatch(until: number): void {
    const output = this.#output;
    const start = this.#filledBytes;
    const end = Math.min(start + this.#matchLeft, until);
    // Byte by byte: a match may reach into what it writes itself.
    for (let index = start; index < end; index += 1) output[index] = output[index - this.#distance] ?? 0;
    this.#matchLeft -= end - start;
    this.#filledBytes = end;
    if (this.#matchLeft === 0) this.#copyLiterals(this.#literals);
  }
}

function damaged(): HomccError {
  return new HomccError("ERR_HOMCC_PROTOCOL", "a payload that is not valid LZO1X");
}
