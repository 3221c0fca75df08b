import { createCipheriv, createHash } from "node:crypto";

/** Bytes that nothing compresses, the same each time for a seed. */
export function noise(sizeBytes: number, seed = "homcc"): Buffer {
  const key = createHash("sha256").update(seed).digest().subarray(0, 16);
  return createCipheriv("aes-128-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(sizeBytes));
}

/** Numbers from 0 to `limit`, without it, the same each time for a seed. */
export function randomNumbers(count: number, limit: number, seed: string): number[] {
  const bytes = noise(count * 4, seed);
  return Array.from({ length: count }, (_, index) =>
    Math.floor((bytes.readUInt32LE(index * 4) / 2 ** 32) * limit),
  );
}
