import { isInsideNamespaceRoot, type ServerLimits } from "@homcc/compiler/server-check";
import type { Toolchain } from "@homcc/compiler/toolchain";

/** What a job may run and name. Its root holds only the toolchain and the client's own files, so any path is inside. */
export function serverLimits(toolchain: Toolchain): ServerLimits {
  const programs = new Set(
    toolchain.entries.flatMap((entry) =>
      entry.kind === "symlink" || (entry.kind === "file" && entry.executable) ? [entry.path] : [],
    ),
  );
  return {
    isToolchainProgram: (path) => programs.has(path),
    isInsideRoot: (path) => path === "/dev/null" || isInsideNamespaceRoot(path),
  };
}
