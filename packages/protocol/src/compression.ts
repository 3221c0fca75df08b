import { promisify } from "node:util";
import {
  constants,
  zstdCompress,
  zstdCompressSync,
  zstdDecompress,
  zstdDecompressSync,
  type ZstdOptions,
} from "node:zlib";
import { HomccError } from "@homcc/observability/error";
import { maxZstdWindowLog } from "./limits.ts";
import { chunkForCompressed, chunkForFrame } from "./zstd-chunks.ts";

/** Payloads up to this size stay as they are: a zstd call costs 0.1 ms, and a packet is 1.4 kB anyway. */
export const compressAboveBytes = 1024;

/** Above this size the thread pool does it: 64 KiB take some 0.5 ms, a hop to the pool and back 0.1 ms. */
export const threadPoolAboveBytes = 64 << 10;

/** zstd's own. */
const defaultLevel = 3;

/** A payload as it goes on the wire. */
export interface Packed {
  readonly payload: Uint8Array;
  readonly zstd: boolean;
}

/** Compresses when it is worth it; never longer than `bytes`. */
export function packNow(bytes: Uint8Array, level: number = defaultLevel): Packed {
  if (bytes.byteLength <= compressAboveBytes) return { payload: bytes, zstd: false };
  return smaller(bytes, zstdCompressSync(bytes, compressOptions(bytes, level)));
}

/** As `packNow`, without holding up the event loop. */
export async function pack(bytes: Uint8Array, level: number = defaultLevel): Promise<Packed> {
  if (bytes.byteLength <= threadPoolAboveBytes) return packNow(bytes, level);
  return smaller(bytes, await inTurn(() => compress(bytes, compressOptions(bytes, level))));
}

/** Gives up with ERR_HOMCC_PROTOCOL as soon as more than `maxBytes` come out. */
export function unpackNow(payload: Uint8Array, maxBytes: number): Buffer {
  try {
    return zstdDecompressSync(payload, decompressOptions(payload, maxBytes));
  } catch (error) {
    throw damagedZstd(error, maxBytes);
  }
}

/** As `unpackNow`, without holding up the event loop. */
export async function unpack(payload: Uint8Array, maxBytes: number): Promise<Buffer> {
  try {
    return await inTurn(() => decompress(payload, decompressOptions(payload, maxBytes)));
  } catch (error) {
    throw damagedZstd(error, maxBytes);
  }
}

/**
 * Calls in the thread pool at once, over all connections. Each has its context from the moment it is made,
 * and more than the pool has threads only wait: 2,000 of 70 kB take 2.5 s and 160 MB at once, 0.5 s and 30 MB in turn.
 */
const maxConcurrent = 4;
let running = 0;
const waiting: (() => void)[] = [];

/** Runs a call of the thread pool when one of the four places is free. */
export async function inTurn<T>(call: () => Promise<T>): Promise<T> {
  if (running >= maxConcurrent) await new Promise<void>((resolve) => waiting.push(resolve));
  else running++;
  try {
    return await call();
  } finally {
    const next = waiting.shift();
    if (next === undefined) running--;
    else next();
  }
}

const compress = promisify<Uint8Array, ZstdOptions, Buffer>(zstdCompress);
const decompress = promisify<Uint8Array, ZstdOptions, Buffer>(zstdDecompress);

function compressOptions(bytes: Uint8Array, level: number): ZstdOptions & { pledgedSrcSize: number } {
  const params = { [constants.ZSTD_c_compressionLevel]: level };
  // With the size known, zstd sizes its tables by it instead of for 2 MiB.
  return { pledgedSrcSize: bytes.byteLength, params, ...chunkForCompressed(bytes) };
}

function decompressOptions(payload: Uint8Array, maxBytes: number): ZstdOptions {
  const params = { [constants.ZSTD_d_windowLogMax]: maxZstdWindowLog };
  return { maxOutputLength: maxBytes, params, ...chunkForFrame(payload, maxBytes) };
}

function smaller(bytes: Uint8Array, compressed: Uint8Array): Packed {
  return compressed.byteLength < bytes.byteLength
    ? { payload: compressed, zstd: true }
    : { payload: bytes, zstd: false };
}

/** What a peer is told whose zstd cannot be read. */
export function damagedZstd(error: unknown, maxBytes: number): HomccError {
  const tooLong = error instanceof Error && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE";
  return new HomccError(
    "ERR_HOMCC_PROTOCOL",
    tooLong
      ? `a payload that decompresses to more than ${maxBytes} bytes`
      : "a payload that is not valid zstd",
    { cause: error },
  );
}
