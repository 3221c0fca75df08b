import { readFile } from "node:fs/promises";
import { lzoCompress } from "@homcc/protocol/v1/lzo";
import { recordedFiles, recordKey } from "@homcc/execution/replay-record";
import type { Farm } from "../build/contender.ts";
import type { BuildRun } from "../results.ts";

/** Bytes down of homcc's clean builds over 10/50 Mbit/s against the same objects compressed with lzo each. */
export async function lzoRatio(
  { project, recording }: Farm,
  runs: readonly BuildRun[],
): Promise<number | undefined> {
  const run = runs.find(
    ({ tool, phase, link }) => tool === "homcc" && phase === "warm" && link.upMegabits === 10,
  );
  if (run === undefined) return undefined;
  let bytes = 0;
  for (const source of project.sources) {
    const { object } = recordedFiles(recording, recordKey(source, project.root) ?? "");
    bytes += (await lzoCompress(await readFile(object))).byteLength;
  }
  return run.downBytes / bytes;
}
