import type { Packed } from "@homcc/protocol/compression";
import { type Frame, frameFlags, frameTypes } from "@homcc/protocol/frame";
import type { SendDataOptions } from "./channel-options.ts";
import type { ConnectionEnd } from "./connection-end.ts";
import type { DataCompression } from "./data-compression.ts";
import type { Priority } from "./outbox.ts";
import { rechunk } from "./rechunk.ts";

export interface DataSenderOptions {
  readonly maxFrameBytes: number;
  readonly compression: Pick<DataCompression, "pack">;
  readonly end: Pick<ConnectionEnd, "reason">;
  readonly isStreamOpen: (stream: number) => boolean;
  /** Queues a frame; `written` is called once it is handed to the socket, or never will be. */
  readonly push: (priority: Priority, frame: Frame, written: () => void) => void;
  /** The end flag was sent on the stream. */
  readonly endSent: (stream: number) => void;
}

/**
 * Uncompressed bytes of a data frame. An object of that size is some 70 kB on the wire, 60 ms of a 10 Mbit/s uplink,
 * which is what a control message may have to wait; halving it costs 5 % of compression.
 */
export const dataChunkBytes = 256 << 10;

/** Sends what does not fit one frame, no faster than the network takes it and with no more of it in memory than two chunks. */
export class DataSender {
  readonly #options: DataSenderOptions;

  constructor(options: DataSenderOptions) {
    this.#options = options;
  }

  /** As `Channel.sendData`. */
  async send(
    stream: number,
    chunks: AsyncIterable<Uint8Array | Packed> | Iterable<Uint8Array | Packed>,
    { priority, end: isWhole }: SendDataOptions,
  ): Promise<boolean> {
    const { maxFrameBytes, compression, end, isStreamOpen, push, endSent } = this.#options;
    let previous = Promise.resolve();
    let isCopied = true;
    for await (const { bytes, last } of rechunk(chunks, Math.min(dataChunkBytes, maxFrameBytes))) {
      const { payload, zstd } = await compression.pack(bytes);
      // The next piece is compressed while this one waits, and no more than that: the source's memory is bounded.
      await previous;
      if (end.reason !== undefined) throw end.reason;
      if (!isStreamOpen(stream)) return false;
      isCopied &&= zstd || payload.byteLength === 0;
      const isLast = last && isWhole;
      if (payload.byteLength > 0 || isLast) {
        const written = Promise.withResolvers<void>();
        const flags = (zstd ? frameFlags.zstd : 0) | (isLast ? frameFlags.end : 0);
        push(priority, { type: frameTypes.data, flags, stream, payload }, written.resolve);
        previous = written.promise;
      }
    }
    await previous;
    if (end.reason !== undefined) throw end.reason;
    if (isWhole) endSent(stream);
    return isCopied;
  }
}
