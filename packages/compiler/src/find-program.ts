import { accessSync, constants, statSync } from "node:fs";
import { LinkWalk } from "./link-walk.ts";

/**
 * As execvp(3): the first executable file of that name in the folders of `path`; an absolute name is itself. `root` as of a
 * LinkWalk.
 */
export function findProgram(name: string, path: string, root = ""): string | undefined {
  return findPrograms(name, path, root).next().value;
}

/** All of them, in order. Relative names and folders are left out: they mean something else in every working folder. */
export function* findPrograms(name: string, path: string, root = ""): Generator<string, undefined, void> {
  if (name.includes("/")) {
    if (name.startsWith("/") && isProgram(name, root)) yield name;
    return undefined;
  }
  for (const folder of path.split(":")) {
    if (!folder.startsWith("/")) continue;
    const candidate = `${folder.replace(/\/+$/, "")}/${name}`;
    if (isProgram(candidate, root)) yield candidate;
  }
  return undefined;
}

function isProgram(path: string, root: string): boolean {
  if (root !== "") {
    const found = new LinkWalk(root).resolve(path);
    return found.kind === "file" && (found.stats.mode & 0o111n) !== 0n;
  }
  try {
    if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return false;
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
