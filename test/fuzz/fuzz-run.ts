import { keep, readCorpus } from "./corpus.ts";
import { Coverage } from "./coverage.ts";
import { minimise } from "./minimise.ts";
import { mutate } from "./mutation.ts";
import { Random } from "./random.ts";
import type { RunningInput } from "./running-input.ts";
import type { FuzzTarget } from "./target.ts";

export interface RunSettings {
  readonly seconds: number;
  readonly seed: number;
  /** Inputs that reach something new go into the repository. */
  readonly grow: boolean;
}

export interface RunReport {
  readonly tried: number;
  /** Of homcc's source. */
  readonly reachedCharacters: number;
  readonly kept: number;
  readonly findings: readonly Finding[];
}

export interface Finding {
  readonly path: string;
  readonly message: string;
}

const defaultMaxBytes = 4096;
/** Inputs between two looks at what was reached. */
const batchSize = 100;
/** A target with more than this many ways to fail has one cause. */
const maxFindings = 5;
/** What is kept has to be read by somebody. */
const maxKeptBytes = 2048;

/** Tries inputs until the time is over: grammar, mutations, and mutations of those that reached something new. */
export async function fuzz(
  target: FuzzTarget,
  { seconds, seed, grow }: RunSettings,
  running: RunningInput,
): Promise<RunReport> {
  const random = new Random(seed);
  const coverage = target.startsProcesses === true ? undefined : await Coverage.start();
  const pool = readCorpus(target.name).map(({ bytes }) => bytes);
  const findings = new Map<string, Finding>();
  let kept = 0;
  let tried = 0;

  const attempt = async (input: Buffer): Promise<string | undefined> => {
    running.set(input);
    try {
      await target.check(Buffer.from(input));
      return undefined;
    } catch (error) {
      return describe(error);
    }
  };

  const settings = {
    dictionary: target.dictionary ?? [],
    maxBytes: target.maxBytes ?? defaultMaxBytes,
    other: () => random.pick(pool),
  };
  const next = (): Buffer => {
    if (pool.length === 0 || random.chance(0.3))
      return Buffer.from(target.generate(random)).subarray(0, settings.maxBytes);
    return mutate(random.pick(pool), random, settings);
  };

  /** Halves of the batch are run again until those are found that reach something new. */
  const findReaching = async (counts: Coverage, inputs: readonly Buffer[]): Promise<void> => {
    for (const input of inputs) await attempt(input);
    const [only, another] = inputs;
    if (only === undefined || (await counts.reached(another === undefined)) === 0) return;
    if (another !== undefined) {
      const middle = inputs.length >> 1;
      await findReaching(counts, inputs.slice(0, middle));
      await findReaching(counts, inputs.slice(middle));
      return;
    }
    pool.push(only);
    if (!grow || only.length > maxKeptBytes) return;
    keep(target.name, "reach", only);
    kept++;
  };

  const endsAt = performance.now() + seconds * 1000;
  const known = pool.slice();
  for (let isFirst = true; performance.now() < endsAt && findings.size < maxFindings; isFirst = false) {
    const batch: Buffer[] = [];
    while (batch.length < (isFirst ? Math.max(known.length, 1) : batchSize) && performance.now() < endsAt) {
      const input = (isFirst ? known[batch.length] : undefined) ?? next();
      batch.push(input);
      tried++;
      const failure = await attempt(input);
      if (failure === undefined || findings.has(signatureOf(failure))) continue;
      const shortest = await minimise(
        input,
        async (candidate) => signatureOf((await attempt(candidate)) ?? "") === signatureOf(failure),
      );
      const message = (await attempt(shortest)) ?? failure;
      findings.set(signatureOf(failure), { path: keep(target.name, "finding", shortest), message });
      if (findings.size >= maxFindings) break;
    }
    if (coverage === undefined) {
      if (!isFirst) pool.push(...batch.slice(0, 2));
      continue;
    }
    if ((await coverage.reached(isFirst)) === 0 || isFirst) continue;
    await findReaching(coverage, batch);
  }
  coverage?.close();
  target.close?.();
  return {
    tried,
    reachedCharacters: coverage?.reachedCharacters ?? 0,
    kept,
    findings: [...findings.values()],
  };
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** Two failures with one are the same bug: the first line and the place, without numbers and names of the input. */
function signatureOf(failure: string): string {
  const [first = "", ...rest] = failure.split("\n");
  const place = rest.find((line) => /^\s+at .*\/(?:packages|apps)\//.test(line)) ?? "";
  return `${first.replaceAll(/"[^"]*"|\d+/g, "#").slice(0, 80)} ${place}`;
}
