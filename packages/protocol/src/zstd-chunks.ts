/*
 * zlib calls fill one buffer after the other, 16 KiB each unless told otherwise, and in the thread pool each of them is a
 * turn of its own: 42 for an object of 680 kB, which cost the agent 9 ms of a build's 20 ms a file. So each call is told
 * how much will come out.
 */

/** zlib's own least. */
const minChunkBytes = 64;
/** What a frame says about its length is a peer's word: no more than this is reserved for it. */
const maxTrustedBytes = 1 << 20;

/** A buffer for `contentBytes` and one byte more, which shows that there is no more to come. */
export function chunkFor(contentBytes: number): { readonly chunkSize: number } {
  return { chunkSize: Math.max(minChunkBytes, contentBytes + 1) };
}

/** A buffer for what compresses to half, as nearly everything that is worth compressing does; the rest takes another. */
export function chunkForCompressed(bytes: Uint8Array): { readonly chunkSize: number } {
  return { chunkSize: Math.max(minChunkBytes, (bytes.byteLength >>> 1) + minChunkBytes) };
}

/** A buffer for what `frame` says that it holds, at most `maxBytes`; zlib's own when it says nothing. */
export function chunkForFrame(frame: Uint8Array, maxBytes: number): { readonly chunkSize?: number } {
  const contentBytes = contentBytesOf(frame);
  return contentBytes === undefined ? {} : chunkFor(Math.min(contentBytes, maxBytes, maxTrustedBytes));
}

/** Frame_Content_Size of RFC 8878, 3.1.1.1; `undefined` when it is not there. */
function contentBytesOf(frame: Uint8Array): number | undefined {
  const descriptor = frame[4];
  if (descriptor === undefined) return undefined;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const sizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >>> 6] ?? 0;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const at = 5 + (isSingleSegment ? 0 : 1) + dictionaryBytes;
  if (sizeBytes === 0 || at + sizeBytes > frame.byteLength) return undefined;
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  switch (sizeBytes) {
    case 1:
      return view.getUint8(at);
    case 2:
      return view.getUint16(at, true) + 256;
    case 4:
      return view.getUint32(at, true);
    default:
      return Number(view.getBigUint64(at, true));
  }
}
