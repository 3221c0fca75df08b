import { execFileSync, spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import type { TestContext } from "node:test";
import { hasReleaseTree } from "./release-tree.ts";
import { hasSandboxTree } from "./sandbox-tree.ts";
import { systemPath } from "./workplace.ts";

/** What a test may need besides gcc: a program of PATH, a module of Debian's Python, root, or a locale. */
export type Requirement =
  | { readonly program: string }
  | { readonly pythonModule: string }
  | { readonly locale: string }
  | "root"
  /** The Debian for sandboxes, which the test command makes. */
  | "sandbox tree"
  /** The Debian of another release, which the test command makes. */
  | "release tree";

/**
 * Skips the test when something is missing, with a reason that starts with "needs".
 * @returns true when the test may go on.
 */
export function meets(t: TestContext, ...requirements: readonly Requirement[]): boolean {
  const missing = requirements.map(missingText).find((text) => text !== undefined);
  if (missing !== undefined) t.skip(missing);
  return missing === undefined;
}

export function hasProgram(name: string): boolean {
  return systemPath.split(":").some((folder) => isExecutable(`${folder}/${name}`));
}

function missingText(requirement: Requirement): string | undefined {
  if (requirement === "sandbox tree") return hasSandboxTree() ? undefined : "needs the tree for sandboxes";
  if (requirement === "release tree")
    return hasReleaseTree() ? undefined : "needs the tree of another Debian release";
  if (requirement === "root") return process.getuid?.() === 0 ? undefined : "needs root";
  if ("program" in requirement)
    return hasProgram(requirement.program) ? undefined : `needs ${requirement.program}`;
  if ("pythonModule" in requirement) {
    const { pythonModule } = requirement;
    return hasPythonModule(pythonModule) ? undefined : `needs python3-${pythonModule}`;
  }
  return localeNames().has(normalise(requirement.locale))
    ? undefined
    : `needs the locale ${requirement.locale}`;
}

function hasPythonModule(name: string): boolean {
  return spawnSync("/usr/bin/python3", ["-c", `import ${name}`]).status === 0;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function localeNames(): Set<string> {
  return new Set(execFileSync("locale", ["-a"], { encoding: "utf8" }).split("\n").map(normalise));
}

/** `de_DE.UTF-8` is listed as `de_DE.utf8`. */
function normalise(name: string): string {
  return name.toLowerCase().replaceAll("-", "");
}
