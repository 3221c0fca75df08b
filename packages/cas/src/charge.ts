import { sizeBytesOf, type Digest } from "./digest.ts";

/** What a blob takes of the bound: whole blocks, as the file system counts it. */
const blockBytes = 4096;

export function chargeOf(digest: Digest): number {
  return wholeBlocks(sizeBytesOf(digest));
}

export function wholeBlocks(bytes: number): number {
  return Math.ceil(bytes / blockBytes) * blockBytes;
}
