import type { Compilation } from "@homcc/compiler/compilation";
import type { DiscoveryContext } from "./include-finder.ts";
import { messageCatalogs } from "./message-catalogs.ts";
import type { PathLooks } from "./path-walk.ts";
import { folderOf } from "./probe-list.ts";
import type { SearchFolders } from "./search-folders.ts";

/** The compiler that reads `/etc/os-release` chooses its defaults by the distribution. */
const distributionFiles = [
  "/etc/os-release",
  "/etc/lsb-release",
  "/etc/redhat-release",
  "/etc/debian_version",
];

/** Folders and files whose existence counts although no source names them. */
export function lookAtSurroundings(
  walk: PathLooks,
  compilation: Compilation,
  { cwd, environment, compilerPath, family }: DiscoveryContext,
  folders: SearchFolders,
): void {
  const named = compilation.includeDirectories.map(({ path }) => path);
  const written = compilation.outputs.map((path) => folderOf(walk.spell(path)));
  const searched = [...folders.quote, ...folders.angle, ...folders.missing, ...folders.duplicate];
  const pwd = environment["PWD"]?.startsWith("/") === true ? [environment["PWD"]] : [];
  for (const path of [cwd, ...pwd, ...named, ...searched, ...written]) walk.lookAtFolder(walk.spell(path));
  for (const path of compilation.extraInputs) walk.lookAtFolder(walk.spell(path));
  for (const path of messageCatalogs(environment, compilerPath, folders.majorVersion)) walk.look(path);
  if (family === "clang") for (const path of distributionFiles) walk.look(path);
}
