import { getHeapStatistics, setFlagsFromString } from "node:v8";

/**
 * By how much the heap may outgrow what lived at the last collection, in percent. V8's own choice is up to 300 for a large one:
 * a build of 2,000 files took 200 MB of garbage beside the 90 that live. And 40 for a small one, of which it then
 * marks all every 25 jobs, 60 ms of all cores each: 2 of 13 ms a file.
 */
const growthPercent = { small: 100, large: 30 } as const;

/** Twice what an agent has after a hundred files. */
const largeHeapBytes = 64 << 20;

/** A look at the heap costs 5 µs. */
const callsBetweenLooks = 32;

let percent: number = growthPercent.small;
let calls = 0;

/**
 * Keeps the heap close to what lives in it. Not on the agent's command line, where Node's compiled modules would be refused
 * for it (17 ms of each start, as for `--optimize-for-size`). For the same reason it does not hold while `keepCompiledCode`
 * or the end of the process writes compiled code.
 */
export function limitHeapGrowth(): void {
  setGrowth(percent);
  process.once("exit", () => setGrowth(0));
}

/** To be called after each job. */
export function fitHeapGrowth(): void {
  calls += 1;
  if (calls % callsBetweenLooks !== 0) return;
  const { used_heap_size: usedBytes } = getHeapStatistics();
  const fitting = usedBytes < largeHeapBytes ? growthPercent.small : growthPercent.large;
  if (fitting === percent) return;
  percent = fitting;
  setGrowth(percent);
}

export function withoutHeapGrowthLimit(action: () => void): void {
  setGrowth(0);
  try {
    action();
  } finally {
    setGrowth(percent);
  }
}

/** 0: as V8 likes. */
function setGrowth(value: number): void {
  setFlagsFromString(`--heap-growing-percent=${value}`);
}
