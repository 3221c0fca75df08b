import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/** Object files by path. */
export type Objects = ReadonlyMap<string, Buffer>;

export interface ObjectComparison {
  readonly total: number;
  readonly identical: number;
  /** Differ, are missing, or were made through homcc only. */
  readonly different: readonly string[];
  /** Two plain builds differ in them too. */
  readonly undetermined: readonly string[];
}

/** Every object file below `folder`, of whatever build system. */
export async function readObjects(folder: string): Promise<Objects> {
  const names = await readdir(folder, { recursive: true });
  const objects = new Map<string, Buffer>();
  for (const name of names.filter((candidate) => /\.(o|os|obj)$/.test(candidate)).sort()) {
    objects.set(name, await readFile(join(folder, name)));
  }
  return objects;
}

/** `again` is a second plain build: what it does not repeat nobody can ask of homcc. */
export function compareObjects(
  expected: Objects,
  actual: Objects,
  again: Objects = expected,
): ObjectComparison {
  const names = [...new Set([...expected.keys(), ...actual.keys()])].sort();
  const undetermined = names.filter((name) => !equal(expected.get(name), again.get(name)));
  const identical = names.filter((name) => equal(expected.get(name), actual.get(name)));
  const excused = new Set([...identical, ...undetermined]);
  return {
    total: names.length,
    identical: identical.length,
    different: names.filter((name) => !excused.has(name)),
    undetermined: undetermined.filter((name) => !identical.includes(name)),
  };
}

function equal(one: Buffer | undefined, other: Buffer | undefined): boolean {
  return one !== undefined && other !== undefined && one.equals(other);
}
