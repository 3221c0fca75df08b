import { constants, zstdCompressSync, zstdDecompressSync, type ZstdOptions } from "node:zlib";
import { damagedZstd } from "./compression.ts";
import { maxZstdWindowLog } from "./limits.ts";
import { chunkForCompressed, chunkForFrame } from "./zstd-chunks.ts";

/*
 * Messages of one direction of a connection resemble each other: a warm job is the one before with other names. Both
 * ends keep the latest text of that direction, and each message is one zstd frame with this text as its dictionary.
 * A new connection starts with none.
 *
 * Measured (message-history.bench.ts, jobs of 1.9 kB): 70 bytes and 60 µs a message, 40 µs to read it; each message alone
 * 573 bytes and 40 µs. Why no stream: docs/decisions/0061-deltas.md.
 */

/** Of the latest text. Half of it makes messages 15 % longer, four times as much none shorter and each call twice as long. */
export const historyBytes = 16 << 10;

/** Of a longer message only so much from either end is kept: the names of 1,000 new files would push out all else. */
const keptEndBytes = 4 << 10;

/** Up to here a message is sent as it is and leaves no trace: `started` and its like, which zstd makes longer. */
export const bareMessageBytes = 48;

/** Every zstd frame begins with these; on the wire they are left out. */
const zstdMagic = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);

/**
 * One end's memory of one direction. Both ends must see the same messages in the same order, each exactly once.
 * Takes 32 KiB, from its first message on.
 */
export class MessageHistory {
  #bytes = Buffer.alloc(0);
  #filledBytes = 0;

  /** The message as it goes on the wire; `undefined` when it is to go as it is. Does not remember it. */
  pack(text: Uint8Array): Uint8Array | undefined {
    if (text.byteLength <= bareMessageBytes) return undefined;
    const frame = zstdCompressSync(text, this.#compressOptions(text));
    const payload = frame.subarray(zstdMagic.byteLength);
    return payload.byteLength < text.byteLength ? payload : undefined;
  }

  /** The text again. Gives up with ERR_HOMCC_PROTOCOL as soon as more than `maxBytes` come out. Does not remember it. */
  unpack(payload: Uint8Array, maxBytes: number): Buffer {
    try {
      const frame = Buffer.concat([zstdMagic, payload]);
      return zstdDecompressSync(frame, {
        maxOutputLength: maxBytes,
        ...chunkForFrame(frame, maxBytes),
        params: { [constants.ZSTD_d_windowLogMax]: maxZstdWindowLog },
        ...this.#dictionary(),
      });
    } catch (error) {
      throw damagedZstd(error, maxBytes);
    }
  }

  /** Call it for every message of the direction, packed or not, in the order of the wire. */
  remember(text: Uint8Array): void {
    if (text.byteLength <= bareMessageBytes) return;
    if (text.byteLength <= 2 * keptEndBytes) {
      this.#append(text);
      return;
    }
    this.#append(text.subarray(0, keptEndBytes));
    this.#append(text.subarray(-keptEndBytes));
  }

  #append(text: Uint8Array): void {
    if (this.#bytes.byteLength === 0) this.#bytes = Buffer.allocUnsafeSlow(2 * historyBytes);
    if (this.#filledBytes + text.byteLength > this.#bytes.byteLength) {
      const kept = this.#latest();
      this.#bytes.set(kept);
      this.#filledBytes = kept.byteLength;
    }
    this.#bytes.set(text, this.#filledBytes);
    this.#filledBytes += text.byteLength;
  }

  #latest(): Uint8Array {
    return this.#bytes.subarray(Math.max(0, this.#filledBytes - historyBytes), this.#filledBytes);
  }

  #dictionary(): ZstdOptions {
    // An empty dictionary is refused.
    return this.#filledBytes === 0 ? {} : { dictionary: this.#latest() };
  }

  #compressOptions(text: Uint8Array): ZstdOptions & { pledgedSrcSize: number } {
    // Four bytes, so that ends which disagree about what came before end the connection instead of reading another job.
    const params = { [constants.ZSTD_c_checksumFlag]: 1 };
    return Object.assign(
      { pledgedSrcSize: text.byteLength, params, ...chunkForCompressed(text) },
      this.#dictionary(),
    );
  }
}
