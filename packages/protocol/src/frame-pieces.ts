import { HomccError } from "@homcc/observability/error";
import { type Frame, frameFlags } from "./frame.ts";
import { maxFrameBytes, maxOpenPieces } from "./limits.ts";
import { release } from "@homcc/cas/release";

interface Begun {
  readonly pieces: Uint8Array[];
  bytes: number;
}

/**
 * Puts data frames together that were sent in pieces, so that on a thin link nothing urgent waits for a whole one. A sender
 * begins a frame in pieces only while it has no other of that priority, so few are open at a time. Holds at most
 * `maxOpenPieces` frames of `maxFrameBytes`.
 */
export class FramePieces {
  readonly #begun = new Map<number, Begun>();

  /** The whole frame, with the flags of its last piece; `undefined` while pieces are missing. Throws ERR_HOMCC_PROTOCOL. */
  take(frame: Frame): Frame | undefined {
    const { stream, flags, payload } = frame;
    const isLast = (flags & frameFlags.more) === 0;
    const begun = this.#begun.get(stream);
    if (begun === undefined && isLast) return frame;
    const { pieces, bytes } = begun ?? { pieces: [], bytes: 0 };
    if (bytes + payload.byteLength > maxFrameBytes) {
      throw new HomccError(
        "ERR_HOMCC_PROTOCOL",
        `pieces of a frame that has more than ${maxFrameBytes} bytes`,
      );
    }
    if (isLast) {
      this.#begun.delete(stream);
      const whole = Buffer.concat([...pieces, payload]);
      for (const piece of pieces) release(piece);
      return { ...frame, payload: whole };
    }
    if (begun === undefined && this.#begun.size >= maxOpenPieces) {
      throw new HomccError("ERR_HOMCC_PROTOCOL", `more than ${maxOpenPieces} frames begun in pieces`);
    }
    pieces.push(payload);
    this.#begun.set(stream, { pieces, bytes: bytes + payload.byteLength });
    return undefined;
  }
}
