import { lookup, lookupService } from "node:dns/promises";
import { isIPv6 } from "node:net";
import { hostname } from "node:os";
import { defaultPort } from "@homcc/config/host";
import { parseHosts } from "@homcc/config/hosts";
import type { ServerSettings } from "@homcc/config/settings";
import { HomccError } from "@homcc/observability/error";

type Listened = Pick<ServerSettings, "addresses" | "port" | "limit">;

const anyAddresses: ReadonlySet<string> = new Set(["0.0.0.0", "::"]);

/** What a client writes into its hosts file: as the administrator says, else what this server listens on. */
export async function offeredHosts(given: readonly string[], listened: Listened): Promise<string[]> {
  const names = given.length > 0 ? given : await ownNames(listened);
  return names.map((name) => complete(name, listened));
}

async function ownNames({ addresses, port }: Listened): Promise<string[]> {
  if (port === 0) {
    throw new HomccError("ERR_HOMCC_USAGE", "no client can know a port that the system chooses", {
      hint: "name it: homccd pair --host HOST:PORT …",
    });
  }
  const named = addresses.filter((address) => !anyAddresses.has(address));
  return named.length > 0 ? named : [await fullHostName()];
}

/** As `hostname -f`: the name that clients in other networks can look up, as far as this machine knows it. */
async function fullHostName(): Promise<string> {
  const short = hostname();
  if (short.includes(".")) return short;
  try {
    const { address } = await lookup(short);
    const { hostname: full } = await lookupService(address, 0);
    return full.startsWith(`${short}.`) ? full : short;
  } catch {
    return short;
  }
}

/** With port and limit, where the name has none. */
function complete(name: string, { port, limit }: Listened): string {
  const [address = "", slots] = name.split("/", 2);
  const bare = isIPv6(address) ? `[${address}]` : address;
  const isNumbered = /(?:^|\]|[^:]):\w+$/.test(bare) || bare.startsWith("srv:") || port === 0;
  const text = `${bare}${isNumbered ? "" : `:${port === 0 ? defaultPort : port}`}/${slots ?? limit}`;
  const { hosts, pools, problems } = parseHosts(text, "--host");
  const [problem] = problems;
  const [host, ...others] = [...hosts, ...pools];
  const isPlain = host?.text === text && !("ssh" in host) && host.tls === undefined;
  if (isPlain && others.length === 0 && problem === undefined) return text;
  throw new HomccError("ERR_HOMCC_USAGE", `--host: ${problem?.message ?? `'${name}' is no host`}`, {
    hint: problem?.hint ?? "as on a line of the hosts file: HOST, HOST:PORT, srv:NAME, with /LIMIT",
  });
}
