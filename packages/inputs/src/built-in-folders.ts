import type { Compilation } from "@homcc/compiler/compilation";
import type { DiscoveryContext } from "./include-finder.ts";
import { folderVariables, type SearchFolders } from "./search-folders.ts";

/** They lead compilers to other parts of their own, and with these to other folders. */
const variables = [...folderVariables.filter((name) => name !== "PATH"), "GCC_EXEC_PREFIX", "COMPILER_PATH"];

/** The compiler's own: folders of the search order that lie below no path that the command or the environment names. */
export function builtInFolders(
  { angle }: SearchFolders,
  { discoveryArguments }: Pick<Compilation, "discoveryArguments">,
  { environment }: Pick<DiscoveryContext, "environment">,
): string[] {
  const paths = discoveryArguments.flatMap((argument) => argument.match(/\/.*/s) ?? []);
  const listed = variables.flatMap((name) => environment[name]?.split(":") ?? []);
  const named = [...paths, ...listed].map((path) => path.replace(/\/+$/, "")).filter((path) => path !== "");
  return angle.filter(
    (folder) => folder.startsWith("/") && !named.some((path) => `${folder}/`.startsWith(`${path}/`)),
  );
}
