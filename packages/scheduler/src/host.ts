import type { Host } from "@homcc/config/hosts";

/** What placement needs to know of a host in the hosts file; one with limit 0 is never chosen. */
export type HostAddress = Pick<Host, "name" | "port" | "limit">;

/** `name:port`, the identity of a server: two lines of the hosts file that differ only in LIMIT are one server. */
export type HostId = string & { readonly __brand: "HostId" };

export function hostIdOf(host: HostAddress): HostId {
  const name = (host.name.includes(":") ? `[${host.name}]` : host.name).toLowerCase();
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the only place that makes one
  return `${name}:${host.port}` as HostId;
}
