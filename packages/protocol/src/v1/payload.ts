import { spawn } from "node:child_process";
import { HomccError } from "@homcc/observability/error";
import { lzoCompress, lzoDecompress } from "./lzo.ts";
import type { V1Compression } from "./messages.ts";

/** The frame around an LZO1X stream: a mark that says which compressor made it, and the size of what comes out. */
const lzoMark = 0xf0;
const bestLzoMark = 0xf1;
const lzoHeaderBytes = 5;

/** A file as it goes on the wire. */
export async function packV1(compression: V1Compression, bytes: Uint8Array): Promise<Uint8Array> {
  switch (compression) {
    case "no_compression":
      return bytes;
    case "lzo": {
      const header = Buffer.alloc(lzoHeaderBytes);
      header.writeUInt8(lzoMark);
      header.writeUInt32BE(bytes.byteLength, 1);
      return Buffer.concat([header, await lzoCompress(bytes)]);
    }
    case "lzma":
      return await filter("xz", ["--compress", "--stdout"], bytes, Infinity);
  }
}

/** The file again. Gives up with ERR_HOMCC_PROTOCOL before more than `maxBytes` come out. */
export async function unpackV1(
  compression: V1Compression,
  payload: Uint8Array,
  maxBytes: number,
): Promise<Uint8Array> {
  switch (compression) {
    case "no_compression":
      if (payload.byteLength > maxBytes) throw tooLong(maxBytes);
      return payload;
    case "lzo":
      return await unpackLzo(payload, maxBytes);
    case "lzma":
      return await filter("xz", ["--decompress", "--stdout", "--memlimit=256MiB"], payload, maxBytes);
  }
}

async function unpackLzo(payload: Uint8Array, maxBytes: number): Promise<Uint8Array> {
  const frame = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  if (frame.byteLength < lzoHeaderBytes || (frame[0] !== lzoMark && frame[0] !== bestLzoMark))
    throw new HomccError("ERR_HOMCC_PROTOCOL", "a payload without the header of lzo");
  const sizeBytes = frame.readUInt32BE(1);
  // A stream gives at most 255 bytes for each of its own: what promises more is not made room for.
  if (sizeBytes > maxBytes || sizeBytes > (frame.byteLength - lzoHeaderBytes) * 256) throw tooLong(maxBytes);
  return await lzoDecompress(frame.subarray(lzoHeaderBytes), sizeBytes);
}

/** Runs a program over `input`. A peer's stream that grows beyond `maxBytes` costs no more memory than that. */
async function filter(
  program: string,
  args: readonly string[],
  input: Uint8Array,
  maxBytes: number,
): Promise<Uint8Array> {
  const child = spawn(program, [...args], { stdio: ["pipe", "pipe", "pipe"] });
  const ended = Promise.withResolvers<number | null>();
  child.once("error", (cause) => {
    const hint = "install xz-utils, or configure lzo";
    ended.reject(
      new HomccError("ERR_HOMCC_UNAVAILABLE", `${program} cannot be run, lzma needs it`, { hint, cause }),
    );
  });
  child.once("close", (status) => ended.resolve(status));
  // A program that has ended early does not read the rest; its status says why.
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  child.stderr.resume();
  const chunks: Buffer[] = [];
  let filledBytes = 0;
  child.stdout.on("data", (chunk: Buffer) => {
    filledBytes += chunk.byteLength;
    if (filledBytes > maxBytes) child.kill("SIGKILL");
    else chunks.push(chunk);
  });
  const status = await ended.promise;
  if (filledBytes > maxBytes) throw tooLong(maxBytes);
  if (status !== 0) throw new HomccError("ERR_HOMCC_PROTOCOL", "a payload that is not valid .xz");
  return Buffer.concat(chunks);
}

function tooLong(maxBytes: number): HomccError {
  return new HomccError("ERR_HOMCC_PROTOCOL", `a payload that decompresses to more than ${maxBytes} bytes`);
}
