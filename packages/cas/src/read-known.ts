import { close, open, read } from "node:fs";
import { promisify } from "node:util";

const openFile = promisify(open);
const closeFile = promisify(close);
const readInto = promisify(read);

/**
 * All bytes of the file at `path`, which should be `sizeBytes`; at most one more than that when it is longer, and fewer when it
 * is shorter. Three turns of the thread pool where `readFile` takes four and a stat before it one more. The bytes are the
 * caller's own, to `release`.
 */
export async function readKnown(path: string, sizeBytes: number): Promise<Uint8Array> {
  const file = await openFile(path, "r");
  try {
    const bytes = Buffer.allocUnsafeSlow(sizeBytes + 1);
    let filledBytes = 0;
    while (filledBytes <= sizeBytes) {
      const { bytesRead } = await readInto(file, bytes, filledBytes, bytes.byteLength - filledBytes, null);
      filledBytes += bytesRead;
      // Of a regular file less than was asked for is all there is.
      if (bytesRead === 0 || filledBytes === sizeBytes) break;
    }
    return bytes.subarray(0, filledBytes);
  } finally {
    await closeFile(file);
  }
}
