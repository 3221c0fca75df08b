import { getHeapStatistics, setFlagsFromString } from "node:v8";

/**
 * `growingPercent`: by how much the heap may outgrow what lived at the last collection. V8's own choice is up to 300 for a large
 * one: a build of 2,000 files took 200 MB of garbage beside the 90 that live. And 40 for a small one, of which it then
 * marks all every 25 jobs, 60 ms of all cores each: 2 of 13 ms a file.
 *
 * `compact`: each collection moves up to 6 MB from pages of which a fifth is free, not 4 MB from those that are
 * mostly free. What 200 jobs at once leave behind lies between what stays: 90 MB that live held 170, and the agent
 * 341 MB at most with 10,000 files, and 261 with this alone. The processor time of 4,000 files is the same (43 and 42 s).
 */
const manners = {
  small: { growingPercent: 100, compact: false },
  large: { growingPercent: 30, compact: true },
  huge: { growingPercent: 10, compact: true },
} as const;
/** V8's own. */
const ownManner = { growingPercent: 0, compact: false } as const;

type Manner = (typeof manners)[keyof typeof manners] | typeof ownManner;

/** Twice what an agent has after a hundred files. */
const largeHeapBytes = 64 << 20;

/** As much as lives with 500,000 known headers. */
const hugeHeapBytes = 112 << 20;

/** What V8 is told counts from the next collection on; 200 jobs of a first build fill 100 MB before one of them ends. A look costs 5 µs. */
const lookEveryMs = 200;
const callsBetweenLooks = 32;

let manner: Manner = manners.small;
let calls = 0;
let running = 0;
let timer: NodeJS.Timeout | undefined;

/**
 * Keeps the heap close to what lives in it. Not on the agent's command line, where Node's compiled modules would be refused
 * for it (17 ms of each start, as for `--optimize-for-size`). For the same reason it does not hold while `keepCompiledCode`
 * or the end of the process writes compiled code.
 */
export function limitHeapGrowth(): void {
  use(manner);
  process.once("exit", () => use(ownManner));
}

/** To be held by each call. */
export function watchHeapGrowth(): Disposable {
  running += 1;
  calls += 1;
  timer ??= setInterval(fit, lookEveryMs);
  if (calls % callsBetweenLooks === 0) fit();
  return {
    [Symbol.dispose]: () => {
      running -= 1;
      if (running > 0) return;
      clearInterval(timer);
      timer = undefined;
    },
  };
}

export function withoutHeapGrowthLimit(action: () => void): void {
  use(ownManner);
  try {
    action();
  } finally {
    use(manner);
  }
}

function fit(): void {
  const fitting = mannerOf(getHeapStatistics().used_heap_size);
  if (fitting === manner) return;
  manner = fitting;
  use(manner);
}

function mannerOf(usedBytes: number): Manner {
  if (usedBytes < largeHeapBytes) return manners.small;
  return usedBytes < hugeHeapBytes ? manners.large : manners.huge;
}

function use({ growingPercent, compact }: Manner): void {
  setFlagsFromString(`--heap-growing-percent=${growingPercent}`);
  setFlagsFromString(compact ? "--optimize-for-size" : "--no-optimize-for-size");
}
