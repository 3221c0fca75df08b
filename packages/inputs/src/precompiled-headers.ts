import type { Compilation, CompilerFamily } from "@homcc/compiler/compilation";
import type { IncludeName } from "@homcc/compiler/include-names";
import { folderOf } from "./probe-list.ts";
import type { PathLooks } from "./path-walk.ts";
import type { SearchFolders } from "./search-folders.ts";

/**
 * A precompiled header that the compiler could take in place of a first include, or `undefined`. gcc looks for
 * `NAME.gch` in every folder before `NAME` itself; clang for `NAME.pch` and `NAME.gch`, and only for `-include`.
 */
export function findPrecompiledHeader(
  compilation: Compilation,
  family: CompilerFamily,
  firstIncludes: readonly Pick<IncludeName, "name" | "form">[],
  folders: SearchFolders,
  walk: PathLooks,
): string | undefined {
  const forced = compilation.forcedIncludes;
  if (family === "clang") {
    const names = forced.flatMap((name) => [`${name}.pch`, `${name}.gch`]);
    return names.find((name) => exists(walk, walk.spell(name)));
  }
  const angle = folders.angle.map((folder) => walk.spell(folder));
  const quote = [...folders.quote.map((folder) => walk.spell(folder)), ...angle];
  const here = folderOf(walk.spell(compilation.source));
  const candidates =
    forced.length > 0
      ? forced.map((name) => ({ name, chain: [walk.spell("."), ...quote] }))
      : firstIncludes.map(({ name, form }) => ({ name, chain: form === "angle" ? angle : [here, ...quote] }));
  for (const { name, chain } of candidates) {
    const precompiled = firstBefore(name, chain, walk);
    if (precompiled !== undefined) return precompiled;
  }
  return undefined;
}

/** `NAME.gch` in one of the folders up to the first that has `NAME`. */
function firstBefore(name: string, chain: readonly string[], walk: PathLooks): string | undefined {
  for (const folder of name.startsWith("/") ? ["/"] : chain) {
    const header = walk.spell(name, folder);
    if (exists(walk, `${header}.gch`)) return `${header}.gch`;
    if (walk.resolve(header).kind === "file") return undefined;
  }
  return undefined;
}

/** Noted as absent when it is: one that is made later must be seen. */
function exists(walk: PathLooks, path: string): boolean {
  const { kind } = walk.look(path);
  return kind === "file" || kind === "directory";
}
