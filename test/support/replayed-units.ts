import { mkdir, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";

/** Sources whose objects and compile times are given: what a homccd with `options` answers, with no compiler to wait for. */
export interface ReplayedUnits {
  readonly names: readonly string[];
  /** For `startServer`. */
  readonly options: readonly string[];
  readonly object: (name: string) => string;
}

/** Writes `count` sources into `project`, each compiled in `compileMs`, and their recordings into `records`; `root`: what the
 * recordings' names begin below. */
export async function replayedUnits(
  project: string,
  records: string,
  count: number,
  compileMs: (index: number) => number,
  root = project,
): Promise<ReplayedUnits> {
  await mkdir(records, { recursive: true });
  const names = Array.from({ length: count }, (_, index) => `unit${index}.c`);
  const object = (name: string): string => `object of ${name}`;
  for (const [index, name] of names.entries()) {
    await writeFile(join(project, name), `int value${index};\n`);
    const key = relative(root, join(project, name)).replaceAll("/", "@");
    await writeFile(join(records, `${key}.o`), object(name));
    await writeFile(join(records, `${key}.ms`), `${compileMs(index)}\n`);
  }
  return {
    names,
    object,
    options: ["--executor", "replay", "--replay-dir", records, "--replay-root", root],
  };
}
