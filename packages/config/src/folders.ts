import { statSync } from "node:fs";
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

/**
 * Folder of the pool's key and of who was revoked: as configured, else below `$HOMCC_DIR`, else in /etc/homcc for root, and for
 * whomever has a folder made for it there, else the user's. Never in the store, where jobs write.
 */
export function identityFolder(
  configured: string | undefined,
  environment: Readonly<Record<string, string>>,
  cwd: string,
  systemFolder = "/etc/homcc",
): string {
  if (configured !== undefined) return resolve(cwd, configured);
  const homccDir = environment["HOMCC_DIR"] ?? "";
  if (homccDir !== "") return join(resolve(cwd, homccDir), "identity");
  // Of the package, and of whoever starts homccd as root.
  const systemIdentity = join(systemFolder, "identity");
  const home = environment["HOME"] ?? "";
  const isSystems =
    process.getuid?.() === 0 || statSync(systemIdentity, { throwIfNoEntry: false }) !== undefined;
  return isSystems || !isAbsolute(home) ? systemIdentity : join(home, ".config/homcc/identity");
}
