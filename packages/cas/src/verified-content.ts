import { HomccError } from "@homcc/observability/error";
import { DigestBuilder, hashOf, sizeBytesOf, type Digest } from "./digest.ts";

export type Content = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/**
 * Yields the chunks of `content` and rejects with ERR_HOMCC_DIGEST_MISMATCH once they cannot be, or are not, the bytes
 * of `digest`: at the first byte too many, or at the end. Until the end nothing that was yielded may be trusted.
 */
export async function* verified(digest: Digest, content: Content): AsyncGenerator<Uint8Array, void, void> {
  const builder = new DigestBuilder();
  const sizeBytes = sizeBytesOf(digest);
  let seenBytes = 0;
  for await (const chunk of content) {
    seenBytes += chunk.byteLength;
    if (seenBytes > sizeBytes) throw mismatch(digest, `more than ${sizeBytes} bytes`);
    builder.update(chunk);
    yield chunk;
  }
  const found = builder.finish();
  if (found !== digest) throw mismatch(digest, found);
}

/** The bytes of `digest`, all in memory; for blobs whose size was checked before. */
export async function collect(digest: Digest, content: Content): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafeSlow(sizeBytesOf(digest));
  let filledBytes = 0;
  for await (const chunk of verified(digest, content)) {
    bytes.set(chunk, filledBytes);
    filledBytes += chunk.byteLength;
  }
  return bytes;
}

/** Reads `content` to its end and checks it, keeping nothing. */
export async function drain(digest: Digest, content: Content): Promise<void> {
  const chunks = verified(digest, content);
  while ((await chunks.next()).done !== true);
}

export function mismatch(digest: Digest, found: string): HomccError {
  return new HomccError("ERR_HOMCC_DIGEST_MISMATCH", `the content of ${hashOf(digest)} is ${found}`);
}
