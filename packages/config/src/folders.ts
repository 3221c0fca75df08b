import { isAbsolute, join, resolve } from "node:path";

/** Folder of the server's blob store: as configured, else below `$HOMCC_DIR`, the cache folder, or /tmp. */
export function storeFolder(
  configured: string | undefined,
  environment: Readonly<Record<string, string>>,
  cwd: string,
): string {
  if (configured !== undefined) return resolve(cwd, configured);
  const homccDir = environment["HOMCC_DIR"] ?? "";
  if (homccDir !== "") return join(resolve(cwd, homccDir), "server");
  // The XDG specification ignores relative paths.
  const cacheHome = environment["XDG_CACHE_HOME"] ?? "";
  if (isAbsolute(cacheHome)) return join(cacheHome, "homcc", "server");
  const home = environment["HOME"] ?? "";
  if (isAbsolute(home)) return join(home, ".cache", "homcc", "server");
  return join("/tmp", `homcc-${process.getuid?.() ?? 0}`, "server");
}
