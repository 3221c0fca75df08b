import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Action } from "@homcc/cas/action";
import type { Compilation } from "@homcc/compiler/compilation";
import { type Digest, digestOf } from "@homcc/cas/digest";
import { prerequisitesOf } from "@homcc/compiler/dependency-file";
import { isSandboxOwn } from "@homcc/compiler/sandbox-folders";
import { missedFiles } from "@homcc/inputs/missed-files";

/**
 * The dependency file that came with a result, read while its launcher still waits: ninja removes it at once. Synchronous,
 * because it takes 30 µs.
 */
export function readReport(
  { dependencyFile }: Compilation,
  { cwd }: Pick<Action, "cwd">,
): string | undefined {
  if (dependencyFile === undefined) return undefined;
  try {
    return readFileSync(resolve(cwd, dependencyFile), "utf8");
  } catch {
    return undefined;
  }
}

/** The latest report that each list of inputs explains. */
const explained = new WeakMap<Action["inputs"], Digest>();

/**
 * Files of this machine that the compiler reports and that were not found; 0.6 ms for 582 headers, 0.03 when `found`, which
 * inputs that did not change have in common, explained the same report before.
 */
export function missedInReport(
  report: string,
  found: Action["inputs"],
  { cwd, sandbox }: Pick<Action, "cwd" | "sandbox">,
): string[] {
  const digest = digestOf(Buffer.from(report));
  if (explained.get(found) === digest) return [];
  const files = found.flatMap((entry) => (entry.kind === "file" ? entry.path : []));
  const missed = missedFiles(prerequisitesOf(report), files, cwd).filter(
    // A sandbox has headers of its own there.
    (path) => sandbox === undefined || !isSandboxOwn(path),
  );
  if (missed.length === 0) explained.set(found, digest);
  return missed;
}
