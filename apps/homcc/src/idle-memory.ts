import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/**
 * How long an agent is idle before it gives its memory back: longer than the pauses of somebody who edits one file and
 * compiles it, because the next call then compiles the agent's own hot functions anew.
 */
export const releaseAfterMs = 120_000;

/**
 * Returns what a build left behind to the system: lists that are made again, garbage, free pages, machine code of hot
 * functions. Nobody else does; an idle V8 does not collect, and an ordinary `gc()` frees no page. Takes some 50 ms.
 *
 * Resident after 200 C files with 70 headers each (Node 24, x64; 50 MB of it are the program's text, which the system can
 * drop): 106 MB by itself, 88 with small young generations (`--max-semi-space-size=4`) and one malloc arena, 80 with this
 * collection, 75 with malloc's thresholds at 64 KiB and without the lists (`test/e2e/faults/idle-agent.slow.test.ts`).
 * `--optimize-for-size` would save another 1 MB, but V8 then refuses Node's compiled modules: 30 ms of every start.
 */
export function releaseMemory(holders: readonly { release(): void }[]): void {
  for (const holder of holders) holder.release();
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  if (typeof collect === "function") collect({ type: "major", execution: "sync", flavor: "last-resort" });
}
