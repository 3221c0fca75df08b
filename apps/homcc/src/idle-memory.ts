import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/**
 * How long an agent is idle before it gives its memory back: longer than the pauses of somebody who edits one file and
 * compiles it, because the next call then compiles the agent's own hot functions anew.
 */
export const releaseAfterMs = 120_000;

/**
 * Returns what a build left behind to the system: garbage, free pages, machine code of hot functions. Nobody else does;
 * an idle V8 does not collect. Resident after 200 files through one server (Node 24, x64): 106 MB, of which 50 are the
 * program's text; 80 with the launcher's `--optimize-for-size` and one malloc arena; 72 with this. An ordinary `gc()`
 * frees nothing. Takes some 50 ms.
 */
export function releaseMemory(): void {
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  if (typeof collect === "function") collect({ type: "major", execution: "sync", flavor: "last-resort" });
}
