import { isInsideNamespaceRoot, type ServerLimits } from "@homcc/compiler/server-check";
import type { Toolchain } from "@homcc/compiler/toolchain";

/** Of toolchains that jobs still name: going through a thousand entries for each job took 0.1 ms. */
const programsOf = new WeakMap<Toolchain["entries"], ReadonlySet<string>>();

/** What a job may run and name. Its root holds only the toolchain and the client's own files, so any path is inside. */
export function serverLimits({ entries }: Pick<Toolchain, "entries">): ServerLimits {
  const programs = programsOf.get(entries) ?? findPrograms(entries);
  programsOf.set(entries, programs);
  return {
    isToolchainProgram: (path) => programs.has(path),
    isInsideRoot: (path) => path === "/dev/null" || isInsideNamespaceRoot(path),
  };
}

function findPrograms(entries: Toolchain["entries"]): ReadonlySet<string> {
  return new Set(
    entries.flatMap((entry) =>
      entry.kind === "symlink" || (entry.kind === "file" && entry.executable) ? [entry.path] : [],
    ),
  );
}
