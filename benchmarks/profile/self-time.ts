import type { CpuProfile } from "./profiler.ts";

export interface SelfTime {
  /** Function and place. */
  readonly name: string;
  readonly ms: number;
}

/** Where the time went, the most first, without what was only waiting. */
export function selfTimes({ nodes, samples, timeDeltas }: CpuProfile): SelfTime[] {
  const names = new Map(
    nodes.map(({ id, callFrame: { functionName, url, lineNumber } }) => {
      const file = url.slice(url.lastIndexOf("/") + 1);
      return [
        id,
        `${functionName || "(anonymous)"}${file === "" ? "" : ` ${file}:${lineNumber + 1}`}`,
      ] as const;
    }),
  );
  const total = new Map<string, number>();
  for (const [index, id] of samples.entries()) {
    const name = names.get(id) ?? "";
    if (name === "(idle)") continue;
    total.set(name, (total.get(name) ?? 0) + (timeDeltas[index] ?? 0) / 1000);
  }
  return Array.from(total, ([name, ms]) => ({ name, ms })).toSorted((a, b) => b.ms - a.ms);
}
