import { isAbsolute, join } from "node:path";

/** Where the agent keeps what it may lose: `$HOMCC_DIR/agent`, else below the cache folder, else in /tmp. */
export function agentFolder(environment: Readonly<Record<string, string>>): string {
  const { HOMCC_DIR = "", XDG_CACHE_HOME = "", HOME = "" } = environment;
  if (isAbsolute(HOMCC_DIR)) return join(HOMCC_DIR, "agent");
  if (isAbsolute(XDG_CACHE_HOME)) return join(XDG_CACHE_HOME, "homcc", "agent");
  if (isAbsolute(HOME)) return join(HOME, ".cache", "homcc", "agent");
  return join("/tmp", `homcc-${process.getuid?.() ?? 0}`, "agent");
}
