import type { ServerLimits } from "@homcc/compiler/server-check";
import type { Toolchain } from "@homcc/compiler/toolchain";

/** Where the kernel shows a process its machine: no compiler needs to read or write there. */
const kernelFolders = ["/proc", "/sys", "/dev"];

/** What a job may run and name. Its root holds only the toolchain and the client's own files, so any path is inside. */
export function serverLimits(toolchain: Toolchain): ServerLimits {
  const programs = new Set(
    toolchain.entries.flatMap((entry) =>
      entry.kind === "symlink" || (entry.kind === "file" && entry.executable) ? [entry.path] : [],
    ),
  );
  return {
    isToolchainProgram: (path) => programs.has(path),
    isInsideRoot: (path) =>
      path === "/dev/null" ||
      !kernelFolders.some((folder) => path === folder || path.startsWith(`${folder}/`)),
  };
}
