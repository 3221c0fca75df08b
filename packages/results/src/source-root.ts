import { dirname } from "node:path";
import type { Action } from "@homcc/cas/action";

/** Folders of the machine, equal wherever the same packages are installed. */
const systemFolder = /^\/(?:usr|lib\w*|bin|sbin|etc|opt|nix|snap)(?:\/|$)/;

/** `/home` or `/tmp` is nobody's project. */
const minComponents = 2;

/** Other letters are written in other ways in assembler texts, dependency files or symbols: we could not find them again. */
const findableName = /^(?:\/[\w.+-]+)+$/;

/**
 * The innermost folder that holds everything of an action that is not the machine's: working folder, outputs and own
 * inputs. Two checkouts of one project that are built alike differ in it and in nothing else. `undefined` when there is
 * no such folder, or its name could hide in a result.
 */
export function sourceRootOf({ cwd, environment, inputs, outputs }: Action): string | undefined {
  const { PWD: logicalCwd = "" } = environment;
  const folders = new Set([cwd, ...outputs.map(({ path }) => dirname(path))]);
  if (logicalCwd.startsWith("/")) folders.add(logicalCwd);
  for (const { kind, path } of inputs) {
    if (kind === "file" && !systemFolder.test(path)) folders.add(dirname(path));
  }
  const root = [...folders].reduce(commonFolder);
  return root.split("/").length > minComponents && findableName.test(root) ? root : undefined;
}

function commonFolder(one: string, other: string): string {
  if (isBelow(other, one)) return one;
  const [first, second] = [one.split("/"), other.split("/")];
  const common = first.findIndex((component, index) => component !== second[index]);
  return first.slice(0, common < 0 ? first.length : common).join("/");
}

/** `path` is `folder` or lies in it. */
export function isBelow(path: string, folder: string): boolean {
  return path.startsWith(folder) && (path.length === folder.length || path[folder.length] === "/");
}
