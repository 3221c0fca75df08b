import type { MicroResult } from "../results.ts";

export function summary(name: string, unit: MicroResult["unit"], values: readonly number[]): MicroResult {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number =>
    Math.round((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN) * 100) /
    100;
  return { name, unit, median: at(0.5), min: at(0), max: at(1) };
}

/** Microseconds of one call: the mean of a batch, of which there are several after one to warm up. */
export async function microseconds(name: string, call: () => unknown): Promise<MicroResult> {
  const batch = async (count: number): Promise<number> => {
    const startMs = performance.now();
    for (let index = 0; index < count; index += 1) await call();
    return ((performance.now() - startMs) * 1000) / count;
  };
  await batch(2000);
  const values: number[] = [];
  for (let round = 0; round < 15; round += 1) values.push(await batch(400));
  return summary(name, "µs", values);
}
