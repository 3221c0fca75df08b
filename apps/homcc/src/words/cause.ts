import type { LoadedSettings } from "@homcc/config/load";
import type { OutcomeName } from "@homcc/observability/outcomes";
import { hostIdOf } from "@homcc/scheduler/host";
import type { Conclusion } from "../conclusion.ts";

/**
 * What else, besides the outcome, makes two fallbacks the same to a user. `server`: its name, which the
 * detail begins with · `hosts`: all that are configured · `detail`: the whole of it · `nothing`: the detail names a file.
 */
const distinctions: Readonly<Partial<Record<OutcomeName, "server" | "hosts" | "detail" | "nothing">>> = {
  "toolchain-differs": "detail",
  "toolchain-unknown": "detail",
  "toolchain-under-way": "server",
  "no-server": "hosts",
  "not-trusted": "detail",
  refused: "server",
  "connection-lost": "server",
  "timed-out": "detail",
  "remote-crash": "detail",
  "remote-limit": "server",
  "mapped-failure": "nothing",
  "mapped-unsupported": "server",
  "server-full": "server",
  "sandbox-unavailable": "detail",
  "locale-missing": "detail",
};

/** The cause of a fallback: the first job of each warns, the others are counted. Never has the name of a file. */
export function causeOf({ outcome, detail }: Conclusion, { hosts }: Pick<LoadedSettings, "hosts">): string {
  switch (distinctions[outcome] ?? "nothing") {
    case "server":
      return `${outcome} ${detail.split(": ", 1)[0] ?? ""}`;
    case "hosts":
      return `${outcome} ${hosts.map(hostIdOf).join(" ")}`;
    case "detail":
      return `${outcome} ${detail}`;
    case "nothing":
      return outcome;
  }
}
