/** Smaller ones may share Node's pool of 8 KiB, and are not worth the call. */
const minReleasedBytes = 16 << 10;

/**
 * Gives the memory of `bytes` back at once, if nothing else is in their buffer; they have no bytes afterwards. For their owner, who
 * is done with them. Buffers that wait for the collector make V8 mark its whole heap for every 12 MB of them: five
 * objects of 700 kB, and 50 ms of all cores.
 */
export function release(bytes: Uint8Array): void {
  const { buffer } = bytes;
  if (!(buffer instanceof ArrayBuffer) || buffer.byteLength < minReleasedBytes) return;
  // zlib's buffers have a byte more than comes out.
  if (bytes.byteOffset === 0 && buffer.byteLength - bytes.byteLength <= 1) buffer.transfer(0);
}
