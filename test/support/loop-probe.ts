/**
 * Loaded into an agent before its own program (`--import …/loop-probe.ts?report=FILE`): says in FILE, once a second, how long
 * its event loop was held since the first launcher connected. A timer of 5 ms notices. Beside the time by the clock, which on a
 * machine with too few cores is mostly time in which the process did not run at all, it has the processor time of the thread:
 * what the agent itself held the loop for, synchronous calls of the system and the collection of garbage included.
 */
import { subscribe } from "node:diagnostics_channel";
import { renameSync, writeFileSync } from "node:fs";

export interface LoopReport {
  /** Between two turns of the loop, at most. */
  readonly maxWallMs: number;
  readonly maxCpuMs: number;
  /** The longest by processor time, the longest first: when since the start, in milliseconds. */
  readonly longest: readonly { readonly atMs: number; readonly wallMs: number; readonly cpuMs: number }[];
  /** Bytes. */
  readonly heapUsed: number;
  readonly external: number;
}

const intervalMs = 5;
const reportEveryMs = 1_000;
const shown = 20;

const file = new URL(import.meta.url).searchParams.get("report");
if (file !== null) observe(file);

function observe(path: string): void {
  let maxWallMs = 0;
  let longest: LoopReport["longest"] = [];
  let [lastMs, lastCpuMs] = [performance.now(), threadCpuMs()];
  let reportedMs = 0;
  let isServing = false;
  subscribe("net.server.socket", () => {
    if (isServing) return;
    isServing = true;
    [lastMs, lastCpuMs] = [performance.now(), threadCpuMs()];
  });
  setInterval(() => {
    if (!isServing) return;
    const [atMs, cpuMs] = [performance.now(), threadCpuMs()];
    const turn = { atMs, wallMs: atMs - lastMs, cpuMs: cpuMs - lastCpuMs };
    maxWallMs = Math.max(maxWallMs, turn.wallMs);
    if (turn.cpuMs > (longest[shown - 1]?.cpuMs ?? 0))
      longest = [...longest, turn].toSorted((one, other) => other.cpuMs - one.cpuMs).slice(0, shown);
    if (atMs - reportedMs > reportEveryMs) {
      reportedMs = atMs;
      const { heapUsed, external } = process.memoryUsage();
      const report: LoopReport = {
        maxWallMs,
        maxCpuMs: longest[0]?.cpuMs ?? 0,
        longest,
        heapUsed,
        external,
      };
      writeFileSync(`${path}.new`, JSON.stringify(report));
      renameSync(`${path}.new`, path);
    }
    [lastMs, lastCpuMs] = [performance.now(), threadCpuMs()];
  }, intervalMs).unref();
}

function threadCpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}
