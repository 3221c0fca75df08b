import { HomccError } from "@homcc/observability/error";
import { maxFrameBytes } from "./limits.ts";

/*
 * frame  := header payload
 * header := payloadBytes:u32le  type:u8  flags:u8  reserved:u16le  stream:u32le
 *
 * `reserved` is 0 when sent and not looked at when received, as are the flags that have no name here: they are for
 * later versions, which agree on them by a capability. A frame of an unknown type is ignored.
 */

export const frameHeaderBytes = 12;

export const frameTypes = { message: 1, data: 2, ping: 3, pong: 4, goodbye: 5, drain: 6 } as const;

export const frameFlags = {
  /** The payload is one zstd frame. */
  zstd: 1,
  /** Nothing of the sender follows on this stream. */
  end: 2,
  /** The payload is one zstd frame without its magic number; its dictionary are the direction's latest messages. */
  history: 4,
  /** The payload goes on in the next data frame of this stream (`frame-pieces.ts`). */
  more: 8,
} as const;

export interface Frame {
  /** One of `frameTypes`, or the number of a newer version's. */
  readonly type: number;
  readonly flags: number;
  /** 0 for what belongs to the connection: ping, pong, goodbye, drain. */
  readonly stream: number;
  /** On the wire, so compressed when the flags say so. */
  readonly payload: Uint8Array;
}

export function encodeHeader(frame: Frame): Buffer {
  const header = Buffer.alloc(frameHeaderBytes);
  header.writeUInt32LE(frame.payload.byteLength, 0);
  header.writeUInt8(frame.type, 4);
  header.writeUInt8(frame.flags, 5);
  header.writeUInt32LE(frame.stream, 8);
  return header;
}

export function encodeFrame(frame: Frame): Buffer {
  return Buffer.concat([encodeHeader(frame), frame.payload]);
}

/** Payloads that span chunks are collected in a buffer that starts at this size and doubles: a header reserves nothing. */
const firstBufferBytes = 16 << 10;

type DecoderState =
  | { readonly kind: "header"; readonly bytes: Buffer; filled: number }
  | { readonly kind: "payload"; readonly head: Head; buffer: Buffer; filled: number }
  | { readonly kind: "failed"; readonly error: HomccError };

interface Head {
  readonly payloadBytes: number;
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
}

/**
 * Turns chunks of any size into frames. Payloads of data frames are copies of what was read (those above 16 KiB at most twice),
 * others may be views of the chunk, which its reader uses again. Memory held: less than twice what was received of the
 * current frame.
 */
export class FrameDecoder {
  readonly #maxFrameBytes: number;
  #state: DecoderState = newHeader();

  constructor(limitBytes: number = maxFrameBytes) {
    this.#maxFrameBytes = limitBytes;
  }

  /** Bytes held for a frame that is not complete. */
  get bufferedBytes(): number {
    return this.#state.kind === "payload" ? this.#state.buffer.byteLength : 0;
  }

  /** True between two frames: where a connection may end. */
  get atBoundary(): boolean {
    return this.#state.kind === "header" && this.#state.filled === 0;
  }

  /** The frames that `chunk` completes. Throws ERR_HOMCC_PROTOCOL for a frame that is too long, then and ever after. */
  push(chunk: Uint8Array): Frame[] {
    const frames: Frame[] = [];
    let offset = 0;
    while (offset < chunk.byteLength) {
      const state = this.#state;
      switch (state.kind) {
        case "failed":
          throw state.error;
        case "header":
          offset += this.#takeHeader(state, chunk, offset, frames);
          break;
        case "payload":
          offset += this.#takePayload(state, chunk, offset, frames);
          break;
      }
    }
    return frames;
  }

  #takeHeader(
    state: DecoderState & { kind: "header" },
    chunk: Uint8Array,
    start: number,
    frames: Frame[],
  ): number {
    const part = chunk.subarray(start, start + frameHeaderBytes - state.filled);
    state.bytes.set(part, state.filled);
    state.filled += part.byteLength;
    if (state.filled < frameHeaderBytes) return part.byteLength;

    const head = readHead(state.bytes);
    if (head.payloadBytes > this.#maxFrameBytes) {
      const error = new HomccError(
        "ERR_HOMCC_PROTOCOL",
        `a frame of ${head.payloadBytes} bytes; at most ${this.#maxFrameBytes} are allowed`,
      );
      this.#state = { kind: "failed", error };
      throw error;
    }
    const payload = chunk.subarray(start + part.byteLength, start + part.byteLength + head.payloadBytes);
    if (payload.byteLength === head.payloadBytes) {
      // Data waits for its consumer; whatever else there is has been dealt with before the next chunk is read.
      frames.push(toFrame(head, head.type === frameTypes.data ? Buffer.from(payload) : payload));
      state.filled = 0;
    } else {
      const buffer = Buffer.allocUnsafe(
        Math.min(head.payloadBytes, Math.max(firstBufferBytes, payload.byteLength * 2)),
      );
      buffer.set(payload);
      this.#state = { kind: "payload", head, buffer, filled: payload.byteLength };
    }
    return part.byteLength + payload.byteLength;
  }

  #takePayload(
    state: DecoderState & { kind: "payload" },
    chunk: Uint8Array,
    start: number,
    frames: Frame[],
  ): number {
    const { head } = state;
    const part = chunk.subarray(start, start + head.payloadBytes - state.filled);
    const filled = state.filled + part.byteLength;
    if (filled > state.buffer.byteLength) {
      const larger = Buffer.allocUnsafe(Math.min(head.payloadBytes, filled * 2));
      larger.set(state.buffer.subarray(0, state.filled));
      state.buffer = larger;
    }
    state.buffer.set(part, state.filled);
    state.filled = filled;
    if (filled === head.payloadBytes) {
      frames.push(toFrame(head, state.buffer.subarray(0, filled)));
      this.#state = newHeader();
    }
    return part.byteLength;
  }
}

function newHeader(): DecoderState {
  return { kind: "header", bytes: Buffer.alloc(frameHeaderBytes), filled: 0 };
}

function readHead(header: Buffer): Head {
  return {
    payloadBytes: header.readUInt32LE(0),
    type: header.readUInt8(4),
    flags: header.readUInt8(5),
    stream: header.readUInt32LE(8),
  };
}

function toFrame(head: Head, payload: Uint8Array): Frame {
  return { type: head.type, flags: head.flags, stream: head.stream, payload };
}
