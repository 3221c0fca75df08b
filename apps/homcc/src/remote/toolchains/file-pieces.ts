import { open } from "node:fs/promises";
import { type Digest, DigestBuilder, digestOf } from "@homcc/cas/digest";
import { HomccError } from "@homcc/observability/error";

/** What a connection that is cut costs at most: a second of 4 Mbit/s. */
export const pieceBytes: number = 1 << 20;

export interface FilePiece {
  readonly digest: Digest;
  readonly offsetBytes: number;
}

/** The pieces of a file, in order. Rejects with ERR_HOMCC_INPUT_CHANGED when it is not what its digest says any more. */
export async function piecesOfFile(path: string, digest: Digest): Promise<readonly FilePiece[]> {
  const pieces: FilePiece[] = [];
  const whole = new DigestBuilder();
  for (;;) {
    const offsetBytes = pieces.length * pieceBytes;
    const bytes = await readPiece(path, offsetBytes);
    if (bytes.byteLength === 0) break;
    whole.update(bytes);
    pieces.push({ digest: digestOf(bytes), offsetBytes });
    if (bytes.byteLength < pieceBytes) break;
  }
  if (whole.finish() !== digest) throw changed(path);
  return pieces;
}

/** Shorter at the end of the file. */
export async function readPiece(path: string, offsetBytes: number): Promise<Uint8Array> {
  try {
    await using file = await open(path, "r");
    const buffer = Buffer.allocUnsafeSlow(pieceBytes);
    let filledBytes = 0;
    while (filledBytes < pieceBytes) {
      const { bytesRead } = await file.read(
        buffer,
        filledBytes,
        pieceBytes - filledBytes,
        offsetBytes + filledBytes,
      );
      if (bytesRead === 0) break;
      filledBytes += bytesRead;
    }
    return buffer.subarray(0, filledBytes);
  } catch (cause) {
    throw changed(path, cause);
  }
}

export function changed(path: string, cause?: unknown): HomccError {
  return new HomccError("ERR_HOMCC_INPUT_CHANGED", `${path} is not what it was`, { cause });
}
