import assert from "node:assert/strict";
import { realpathSync } from "node:fs";
import { relative } from "node:path";
import type { Compilation } from "@homcc/compiler/compilation";
import type { InstalledCompiler, Project } from "./discovery.fixture.ts";
import { FileDigests } from "./file-digests.ts";
import { type FoundInputs, type IncludeFinder, notFound } from "./include-finder.ts";
import { listDependencies } from "./make-dependencies.ts";
import { pathOf } from "./path-walk.ts";
import { ScanningIncludeFinder } from "./scanning-include-finder.ts";

/** Says that it was asked: the scanner must not hide behind it. */
const nobody: IncludeFinder = {
  find: () => Promise.resolve(notFound("inputs-unknown", "not scanned")),
};

/** A scanner without anything to fall back on, and never compared with the compiler unless a test does it. */
export function createScanner(finder: IncludeFinder = nobody, verifyEvery = Infinity): ScanningIncludeFinder {
  const digests = new FileDigests();
  return new ScanningIncludeFinder(finder, { digests, verifyEvery });
}

/** What was scanned, or the scanner's reason in place of it. */
export async function scan(
  scanner: ScanningIncludeFinder,
  project: Project,
  { path, family }: InstalledCompiler,
  compilation: Compilation,
): Promise<FoundInputs | string> {
  const before = new Map(scanner.counters.reasons);
  const found = await scanner.find(compilation, project.context(path ?? "", family));
  if (found.kind === "found") return found;
  const counts = [...scanner.counters.reasons];
  const reason = counts.find(([name, count]) => (before.get(name) ?? 0) < count)?.[0];
  return reason ?? `${found.outcome}: ${found.detail}`;
}

export interface Comparison {
  /** Relative to the project, sorted. */
  readonly own: readonly string[];
  readonly absent: readonly string[];
  /** Files of the machine. */
  readonly others: readonly string[];
}

/**
 * Scans, and asserts that the compiler's own list has the same files; `probed` may be more: headers that are only asked
 * for, which gcc does not list.
 */
export async function compareWithCompiler(
  scanner: ScanningIncludeFinder,
  project: Project,
  compiler: InstalledCompiler,
  compilation: Compilation,
  probed: readonly string[] | "any" = [],
): Promise<Comparison> {
  const found = await scan(scanner, project, compiler, compilation);
  assert.ok(typeof found !== "string", typeof found === "string" ? found : "");
  const listing = await listDependencies(compilation, project.context(compiler.path ?? "", compiler.family));
  assert.ok(listing.kind === "listed");
  const scanned = new Set(found.files.map(({ entry }) => entry.path).filter((path) => !isSurrounding(path)));
  const listed = new Set(
    listing.paths.map((path) =>
      realpathSync.native(path.startsWith("/") ? path : `${project.folder}/${path}`),
    ),
  );
  if (probed === "any") {
    const missing = [...listed].filter((path) => !scanned.has(path));
    assert.deepEqual(missing, []);
  } else {
    for (const path of probed.map((name) => project.at(name))) {
      assert.ok(scanned.has(path), `${path} is asked for`);
      listed.add(path);
    }
    assert.deepEqual([...scanned].sort(), [...listed].sort());
  }
  const own = (paths: readonly string[]): string[] =>
    paths
      .map((path) => relative(project.folder, path))
      .filter((name) => !name.startsWith(".."))
      .sort();
  return {
    own: own([...scanned]),
    absent: own(found.absent().flatMap(({ folder, names }) => names.map((name) => pathOf(folder, name)))),
    others: [...scanned].filter((path) => !path.startsWith(project.folder)),
  };
}

/** Read by the driver, not by the preprocessor. */
function isSurrounding(path: string): boolean {
  return /\/(os-release|lsb-release|redhat-release|debian_version)$|\.mo$/.test(path);
}
