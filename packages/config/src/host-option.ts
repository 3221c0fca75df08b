import { parseHost } from "./host.ts";
import { cutHosts } from "./host-text.ts";
import type { ValueType } from "./values.ts";

/** Exactly one host as in a hosts file; the value is its text, which `parseHosts` reads again. */
export const hostOnly: ValueType<string> = {
  metavar: "HOST",
  allowed:
    "one host as in a line of the hosts file: HOST, HOST:PORT, [IPV6]:PORT, USER@HOST, srv:NAME, with /LIMIT,COMPRESSION",
  parse: (given) => {
    const [first, ...others] = cutHosts(given);
    if (first === undefined || others.length > 0) return undefined;
    return parseHost(first).kind === "malformed" ? undefined : first.text;
  },
};
