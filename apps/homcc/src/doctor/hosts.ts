import { type Host, parseHosts } from "@homcc/config/hosts";
import type { LoadedSettings } from "@homcc/config/load";
import { hostIdOf } from "@homcc/scheduler/host";
import type { Examination } from "./examination.ts";

/** The servers to look at: the named ones, configured or not, or else all that are configured. */
export function chooseHosts(
  named: readonly string[],
  { hosts, fatal, settings }: Pick<LoadedSettings, "hosts" | "fatal" | "settings">,
  examination: Examination,
): readonly Host[] {
  if (named.length === 0) {
    if (hosts.length === 0 || fatal !== undefined)
      examination.stop(
        "the configuration",
        "name, connection, version, executor and test compiles of servers",
      );
    return hosts;
  }
  return named.flatMap((text) => {
    const known = hosts.filter(
      (host) => host.text === text || host.name === text || hostIdOf(host) === text.toLowerCase(),
    );
    if (known.length > 0) return known;
    const parsed = parseHosts(text, "the command line", settings);
    for (const { source, message, hint } of parsed.problems)
      examination.problem(`${source}: ${message}`, hint);
    return parsed.hosts;
  });
}
