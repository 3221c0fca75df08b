import { pack, type Packed } from "@homcc/protocol/compression";
import type { Role } from "./channel-options.ts";
import type { LinkRate } from "./link-rate.ts";
import type { SendPace } from "./send-pace.ts";

export interface DataCompressionOptions {
  readonly role: Role;
  /** The peer reads zstd. */
  readonly zstd: boolean;
  readonly rate: Pick<LinkRate, "bytesPerSecond">;
  readonly pace: Pick<SendPace, "bytesPerSecond" | "isNear">;
}

/** Level 6 compresses 54 to 110 MB/s of objects, half of what it makes of them goes on the wire. */
const fastBytesPerSecond = 30e6;

/**
 * Levels of zstd for data. Objects are 6 % shorter with 6 than with 3 and take twice the time, 1.5 ms for 110 kB, which a server
 * has; a laptop's sources are sent once, with 3. On a fast link bytes cost nothing, and 1 is the least work.
 */
const fastLevel = 1;
const thoroughLevel = { client: 3, server: 6 } as const;

/** How thoroughly one end compresses data: as its link is worth it. */
export class DataCompression {
  readonly #options: DataCompressionOptions;

  constructor(options: DataCompressionOptions) {
    this.#options = options;
  }

  /**
   * Whether the link takes more than thorough compression gives: as measured, and before there was enough to measure, by
   * a round trip that no home has.
   */
  get isFast(): boolean {
    const { rate, pace } = this.#options;
    const bytesPerSecond = rate.bytesPerSecond ?? pace.bytesPerSecond;
    return bytesPerSecond === undefined ? pace.isNear : bytesPerSecond > fastBytesPerSecond;
  }

  /** What is packed already stays as it is. */
  async pack(bytes: Uint8Array | Packed): Promise<Packed> {
    if (!(bytes instanceof Uint8Array)) return bytes;
    if (!this.#options.zstd) return { payload: bytes, zstd: false };
    return await pack(bytes, this.isFast ? fastLevel : thoroughLevel[this.#options.role]);
  }
}
