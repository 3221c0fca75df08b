import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";

/**
 * How often a process that was told to become the compiler is looked at. Its connection ends with it, unless it leaves
 * a daemon behind that holds the descriptor (a ccache or sccache server): without this look such a slot is never free.
 */
const lookIntervalMs = 500;

/** Resolves when the process that began at `startTime` has ended, or `signal` is aborted. */
export async function processEnd(pid: number, startTime: string, signal: AbortSignal): Promise<void> {
  try {
    do await delay(lookIntervalMs, undefined, { signal, ref: false });
    while ((await startTimeOf(pid)) === startTime);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** Ticks since boot: with the pid it names one process for good. `undefined` when it has ended or /proc is not there. */
export async function startTimeOf(pid: number): Promise<string | undefined> {
  try {
    const status = await readFile(`/proc/${pid}/stat`, "latin1");
    // The name in parentheses is the program's own choice and may hold blanks and parentheses.
    const fields = status.slice(status.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}
