import { type Host, parseHosts } from "@homcc/config/hosts";
import type { LoadedSettings } from "@homcc/config/load";
import { hostIdOf } from "@homcc/scheduler/host";
import type { Services } from "../services.ts";
import { examinePools } from "./pools.ts";
import type { Examination } from "./examination.ts";

/** The servers to look at: the named ones, configured or not, or else all that are configured. */
export async function chooseHosts(
  named: readonly string[],
  { hosts, fatal, settings }: Pick<LoadedSettings, "hosts" | "fatal" | "settings">,
  pools: Pick<Services["pools"], "resolveNow" | "status">,
  examination: Examination,
): Promise<readonly Host[]> {
  if (named.length === 0) {
    if (hosts.length === 0 || fatal !== undefined)
      examination.stop(
        "the configuration",
        "name, connection, version, executor and test compiles of servers",
      );
    return hosts;
  }
  const chosen = named.map(async (text) => {
    const known = hosts.filter(
      (host) => host.text === text || host.name === text || hostIdOf(host) === text.toLowerCase(),
    );
    if (known.length > 0) return known;
    const parsed = parseHosts(text, "the command line", settings);
    for (const { source, message, hint } of parsed.problems)
      examination.problem(`${source}: ${message}`, hint);
    if (parsed.pools.length > 0) {
      const resolved = await pools.resolveNow(parsed);
      examinePools(parsed.pools, pools, examination);
      return resolved.hosts;
    }
    return parsed.hosts;
  });
  return (await Promise.all(chosen)).flat();
}
