import type { FoundInputs } from "./include-finder.ts";

/** Whether both lists are the same to a compiler: contents, times, links, and what exists; in whatever order. */
export function sameInputs(one: FoundInputs, other: FoundInputs): boolean {
  return (
    sameMap(filesOf(one), filesOf(other)) &&
    sameMap(one.links, other.links) &&
    sameMap(presenceOf(one), presenceOf(other)) &&
    sameMap(absenceOf(one), absenceOf(other))
  );
}

function filesOf({ files }: FoundInputs): Map<string, string> {
  return new Map(files.map(({ entry }) => [entry.path, `${entry.digest} ${entry.mtimeNs}`]));
}

function presenceOf({ directories }: FoundInputs): Map<string, string> {
  return new Map(directories.map((path) => [path, ""]));
}

function absenceOf({ absent }: FoundInputs): Map<string, string> {
  return new Map(absent().map(({ folder, names }) => [folder, JSON.stringify(names.toSorted())]));
}

function sameMap(one: ReadonlyMap<string, string>, other: ReadonlyMap<string, string>): boolean {
  if (one.size !== other.size) return false;
  for (const [key, value] of one) if (other.get(key) !== value) return false;
  return true;
}
