import type { ScannedClosure } from "@homcc/scanner/scanned-closure";
import type { FileDigests, FileRecord } from "./file-digests.ts";
import type { FoundInputs } from "./include-finder.ts";
import type { Pace } from "./pace.ts";
import type { AbsentNames, PathWalk } from "./path-walk.ts";

/** The kernel's clock for file times lags behind by up to one tick. */
const stepMs = 10;

/** What a scan found, together with what its surroundings add; `undefined` when a file of those cannot be read. */
export async function inputsOf(
  closure: ScannedClosure<FileRecord>,
  walk: PathWalk,
  digests: FileDigests,
  startedAtMs: number,
  pace: Pace,
): Promise<FoundInputs | undefined> {
  const files: FileRecord[] = [];
  for (const [path, { stats, record }] of closure.files) {
    const known = record ?? (await digests.record(path, stats));
    if (known === undefined) return undefined;
    files.push(known);
  }
  for (const [path, stats] of walk.files) {
    if (closure.files.has(path)) continue;
    const record = await digests.record(path, stats);
    if (record === undefined) return undefined;
    files.push(record);
    if (pace.due()) await pace.pause();
  }
  return {
    kind: "found",
    files,
    directories: [...new Set([...closure.directories, ...walk.directories()])],
    links: new Map([...closure.links, ...walk.links]),
    absent: absentOf(closure, walk),
    startedAtMs,
    // The time of change, unlike that of modification, is the kernel's alone.
    lasting: files.every(({ ctimeNs }) => Number(ctimeNs / 1_000_000n) < startedAtMs - stepMs),
  };
}

function absentOf(closure: ScannedClosure<FileRecord>, walk: PathWalk): AbsentNames[] {
  const others = new Map(walk.absent().map(({ folder, names }) => [folder, names]));
  const absent: AbsentNames[] = [];
  for (const [folder, names] of closure.absent) {
    const more = others.get(folder);
    others.delete(folder);
    absent.push({ folder, names: more === undefined ? [...names] : [...new Set([...names, ...more])] });
  }
  for (const [folder, names] of others) absent.push({ folder, names });
  return absent;
}
