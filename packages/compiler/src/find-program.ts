import { accessSync, constants, statSync } from "node:fs";

/** As execvp(3): the first executable file of that name in the folders of `path`; an absolute name is itself. */
export function findProgram(name: string, path: string): string | undefined {
  return findPrograms(name, path).next().value;
}

/** All of them, in order. Relative names and folders are left out: they mean something else in every working folder. */
export function* findPrograms(name: string, path: string): Generator<string, undefined, void> {
  if (name.includes("/")) {
    if (name.startsWith("/") && isProgram(name)) yield name;
    return undefined;
  }
  for (const folder of path.split(":")) {
    if (!folder.startsWith("/")) continue;
    const candidate = `${folder.replace(/\/+$/, "")}/${name}`;
    if (isProgram(candidate)) yield candidate;
  }
  return undefined;
}

function isProgram(path: string): boolean {
  try {
    if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return false;
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
