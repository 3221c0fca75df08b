import { writeSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { errnoOf } from "@homcc/cas/errno";

/** How long a descriptor that takes nothing right now is left alone: Node cannot wait for one that is not its own. */
const fullPipeDelayMs = 2;

/**
 * Writes everything, whatever the build made of the descriptor. Not by a stream: Node would make a pipe that other
 * programs share non-blocking. False when its reader is gone; what cannot be written otherwise (a full disk, a closed
 * descriptor) is lost, as it is for a compiler.
 */
export async function emit(descriptor: number, bytes: Uint8Array): Promise<boolean> {
  for (let start = 0; start < bytes.byteLength;) {
    try {
      start += writeSync(descriptor, bytes, start);
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === "EPIPE") return false;
      if (errno !== "EAGAIN") return true;
      await delay(fullPipeDelayMs);
    }
  }
  return true;
}
