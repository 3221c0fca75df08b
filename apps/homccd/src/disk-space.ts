import { statfsSync } from "node:fs";
import type { Welcome } from "@homcc/protocol/hello";

/**
 * The file system of a folder as a welcome tells it; nothing where it cannot be asked. Synchronous, 5 µs on a local disk:
 * a store on a file system that hangs serves nobody anyway.
 */
export function diskOf(folder: string): Pick<Welcome, "disk"> {
  try {
    const { bavail, blocks, bsize } = statfsSync(folder);
    return { disk: { freeBytes: bavail * bsize, totalBytes: blocks * bsize } };
  } catch {
    return {};
  }
}
