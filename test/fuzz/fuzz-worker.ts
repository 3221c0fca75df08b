import { parentPort, workerData } from "node:worker_threads";
import { fuzz, type RunSettings } from "./fuzz-run.ts";
import { RunningInput } from "./running-input.ts";
import { findTarget } from "./targets.ts";

/** What the thread of one target is told. */
export interface WorkerData extends RunSettings {
  readonly target: string;
  readonly running: SharedArrayBuffer;
}

const data: WorkerData = workerData;
const report = await fuzz(findTarget(data.target), data, new RunningInput(data.running));
parentPort?.postMessage(report, []);
