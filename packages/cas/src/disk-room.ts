import type { FileHandle } from "node:fs/promises";
import { HomccError } from "@homcc/observability/error";
import { isDiskFull } from "./errno.ts";

/** Making room is worth this many attempts for one blob: others may be filling the disk at the same time. */
const attempts = 3;

/** Runs a step of writing one blob, again when the disk was full and room could be made. */
export type WriteStep = <Result>(step: () => Promise<Result>) => Promise<Result>;

/**
 * A `WriteStep` for the steps of one blob. `makeRoom` resolves to false when there is nothing left to evict; then, or
 * when the disk is full again and again, the step rejects with ERR_HOMCC_STORE_FULL.
 */
export function makingRoom(folder: string, makeRoom: () => Promise<boolean>): WriteStep {
  let attemptsLeft = attempts;
  return async (step) => {
    for (;;) {
      try {
        return await step();
      } catch (error) {
        if (!isDiskFull(error)) throw error;
        if (attemptsLeft === 0 || !(await makeRoom())) throw diskFull(folder, error);
        attemptsLeft -= 1;
      }
    }
  };
}

/** Writes `content` from the file's beginning; a chunk that did not fit is continued where it broke off. */
export async function fill(
  file: FileHandle,
  content: AsyncIterable<Uint8Array>,
  step: WriteStep,
): Promise<void> {
  let position = 0;
  for await (const chunk of content) {
    for (let offset = 0; offset < chunk.byteLength;) {
      const rest = chunk.subarray(offset);
      const { bytesWritten } = await step(() => file.write(rest, 0, rest.byteLength, position));
      offset += bytesWritten;
      position += bytesWritten;
    }
  }
}

export function diskFull(folder: string, cause: unknown): HomccError {
  const hint = "make room on that disk";
  return new HomccError("ERR_HOMCC_STORE_FULL", `the disk of ${folder} is full`, { hint, cause });
}
