import { protocolError } from "./wire.ts";

/** `u32 length of the payload | u8 type | payload`, the same in both directions. */
export interface Frame {
  readonly type: number;
  readonly payload: Uint8Array;
}

export const frameTypes = {
  request: 0x01,
  ended: 0x02,
  question: 0x03,
  accepted: 0x81,
  stdout: 0x82,
  stderr: 0x83,
  exit: 0x84,
  signal: 0x85,
  execute: 0x86,
  retired: 0x87,
  supervise: 0x88,
  answer: 0x89,
  notice: 0x8a,
} as const;

const headerBytes = 5;
/** Arguments and environment of a Linux process end at 6 MB (three quarters of the kernel's default stack limit). */
export const maxPayloadBytes = 8 * 1024 * 1024;

export function encodeFrame(type: number, payload: Uint8Array): Uint8Array {
  if (payload.byteLength > maxPayloadBytes) throw protocolError(`a frame of ${payload.byteLength} bytes`);
  const frame = Buffer.allocUnsafe(headerBytes + payload.byteLength);
  frame.writeUInt32LE(payload.byteLength, 0);
  frame.writeUInt8(type, 4);
  frame.set(payload, headerBytes);
  return frame;
}

/** Cuts a stream of chunks into frames. Holds at most one unfinished frame; a length above the limit throws at once. */
export class FrameReader {
  readonly #maxBytes: number;
  #chunks: Uint8Array[] = [];
  #heldBytes = 0;

  constructor(maxBytes: number = maxPayloadBytes) {
    this.#maxBytes = maxBytes;
  }

  push(chunk: Uint8Array): Frame[] {
    this.#chunks.push(chunk);
    this.#heldBytes += chunk.byteLength;
    const frames: Frame[] = [];
    for (let frame = this.#next(); frame !== undefined; frame = this.#next()) frames.push(frame);
    return frames;
  }

  #next(): Frame | undefined {
    if (this.#heldBytes < headerBytes) return undefined;
    const header = this.#joined(headerBytes);
    const length = header.readUInt32LE(0);
    if (length > this.#maxBytes) throw protocolError(`a frame of ${length} bytes`);
    if (this.#heldBytes < headerBytes + length) return undefined;
    const all = this.#joined(headerBytes + length);
    this.#chunks[0] = all.subarray(headerBytes + length);
    this.#heldBytes -= headerBytes + length;
    return { type: all.readUInt8(4), payload: all.subarray(headerBytes, headerBytes + length) };
  }

  /** The held bytes, of which the first `count` lie in one piece. Joins only when needed: many small chunks stay cheap. */
  #joined(count: number): Buffer {
    const first = this.#chunks[0];
    if (first === undefined || first.byteLength < count) this.#chunks = [Buffer.concat(this.#chunks)];
    const bytes = this.#chunks[0] ?? new Uint8Array();
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
}
