import { Worker } from "node:worker_threads";
import { keep } from "./corpus.ts";
import type { Finding, RunReport, RunSettings } from "./fuzz-run.ts";
import type { WorkerData } from "./fuzz-worker.ts";
import { RunningInput } from "./running-input.ts";
import type { FuzzTarget } from "./target.ts";

/** An input that takes longer counts as one that never ends: the slowest honest one takes 50 ms. */
const hangMs = 15_000;
const processHangMs = 90_000;
/** Heap of a target's thread; what takes more of an input of a few kilobytes is a bomb. */
const maxHeapMb = 768;

/**
 * Fuzzes in a thread of its own: an input that never comes to an end, or takes all memory, ends that thread, and is a
 * finding like others.
 */
export function fuzzInThread(target: FuzzTarget, settings: RunSettings): Promise<RunReport> {
  const running = new RunningInput();
  const data: WorkerData = { ...settings, target: target.name, running: running.buffer };
  const { promise, resolve } = Promise.withResolvers<RunReport>();
  const worker = new Worker(new URL("fuzz-worker.ts", import.meta.url), {
    workerData: data,
    resourceLimits: { maxOldGenerationSizeMb: maxHeapMb },
  });
  const failed = (message: string): void => {
    const finding: Finding = { path: keep(target.name, "finding", running.get()), message };
    void worker.terminate();
    resolve({ tried: running.count, reachedCharacters: 0, kept: 0, findings: [finding] });
  };
  let last = { count: 0, atMs: performance.now() };
  const watch = setInterval(() => {
    const { count } = running;
    if (count !== last.count) last = { count, atMs: performance.now() };
    else if (performance.now() - last.atMs > (target.startsProcesses === true ? processHangMs : hangMs))
      failed("an input that does not come to an end");
  }, 500);
  worker.once("message", resolve);
  worker.once("error", (error) =>
    failed(error instanceof Error ? (error.stack ?? error.message) : String(error)),
  );
  return promise.finally(() => clearInterval(watch));
}
