import { promisify } from "node:util";
import { constants, zstdCompress, zstdDecompress, zstdDecompressSync, type ZstdOptions } from "node:zlib";
import { damagedZstd, inTurn } from "./compression.ts";
import { maxDeltaBytes } from "./limits.ts";
import { chunkFor } from "./zstd-chunks.ts";

/*
 * delta := one zstd frame whose dictionary is the base, as `zstd --patch-from` writes it
 *
 * Both ends know the length of what comes out before they begin: a digest says it.
 */

/** Whether `sizeBytes` bytes can be told by how they differ from `baseBytes`: both ends hold both in memory. */
export function isDeltaSized(sizeBytes: number, baseBytes: number): boolean {
  return sizeBytes > 0 && baseBytes > 0 && sizeBytes <= maxDeltaBytes && baseBytes <= maxDeltaBytes;
}

/** How `bytes` differ from `base`. In the thread pool. `isHurried`: the link is faster than thorough compression. */
export async function encodeDelta(bytes: Uint8Array, base: Uint8Array, isHurried = false): Promise<Buffer> {
  return await inTurn(() => compress(bytes, compressOptions(bytes.byteLength, base, isHurried)));
}

/** Above this the thread pool does it: 250 kB from a base of 250 kB take 0.1 ms, a hop to the pool and back as much again. */
const decodeNowBytes = 256 << 10;

/**
 * The `sizeBytes` bytes again; gives up with ERR_HOMCC_PROTOCOL as soon as there are more. Whether they are the right ones
 * says their digest alone: `base` may be another than the one that was meant.
 */
export async function decodeDelta(delta: Uint8Array, base: Uint8Array, sizeBytes: number): Promise<Buffer> {
  const params = { [constants.ZSTD_d_windowLogMax]: windowLogFor(sizeBytes, base) };
  const options = { dictionary: base, maxOutputLength: sizeBytes, params, ...chunkFor(sizeBytes) };
  const isSmall = Math.max(sizeBytes, base.byteLength, delta.byteLength) <= decodeNowBytes;
  try {
    return isSmall ? zstdDecompressSync(delta, options) : await inTurn(() => decompress(delta, options));
  } catch (error) {
    throw damagedZstd(error, sizeBytes);
  }
}

const compress = promisify<Uint8Array, ZstdOptions, Buffer>(zstdCompress);
const decompress = promisify<Uint8Array, ZstdOptions, Buffer>(zstdDecompress);

/**
 * zstd sizes its tables for the level, not for the dictionary, of which it would then find little: 61 kB instead of
 * 185 B. Half as many places as the base has bytes find as much as all of them, in a third of the time, and 2^21 are
 * enough for the largest (delta.bench.ts: 172 kB in 0.5 ms, 4.6 MB in 29 ms).
 */
const maxTableLog = 21;
const minTableLog = 10;

/** Changed bytes are mostly new debug information, of which level 6 makes 6 to 12 % less than 3; equal ones cost no more. */
const deltaLevel = 6;

/** Above this the match finder is what takes the time; level 1 is three times as fast and leaves 7 % more. */
const fastAboveBytes = 2 << 20;

function compressOptions(
  sizeBytes: number,
  base: Uint8Array,
  isHurried: boolean,
): ZstdOptions & { pledgedSrcSize: number } {
  const tableLog = Math.min(maxTableLog, Math.max(minTableLog, Math.ceil(Math.log2(base.byteLength)) - 1));
  return {
    dictionary: base,
    pledgedSrcSize: sizeBytes,
    // Mostly a few bytes; else an eighth of what it was.
    ...chunkFor(sizeBytes >>> 3),
    params: {
      [constants.ZSTD_c_compressionLevel]: isHurried || sizeBytes > fastAboveBytes ? 1 : deltaLevel,
      [constants.ZSTD_c_windowLog]: windowLogFor(sizeBytes, base),
      [constants.ZSTD_c_hashLog]: tableLog,
      [constants.ZSTD_c_chainLog]: tableLog,
    },
  };
}

/** Base and bytes fit: at most 2^25, all of which a decoder may reserve. */
function windowLogFor(sizeBytes: number, base: Uint8Array): number {
  return Math.max(minTableLog, Math.ceil(Math.log2(sizeBytes + base.byteLength)));
}
