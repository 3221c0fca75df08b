import type { Host } from "@homcc/config/hosts";
import { defaultSshSettings, type SshAccess } from "@homcc/config/ssh-access";

/** What placement needs to know of a host in the hosts file; one with limit 0 is never chosen. */
export type HostAddress = Pick<Host, "name" | "port" | "limit" | "ssh">;

/**
 * `name:port` or `user@name:port`, the identity of a server: two lines of the hosts file that differ only in LIMIT are one
 * server. With other options ssh may lead to another machine, so they belong to it: `user@name:port (ssh -p 2222)`.
 */
export type HostId = string & { readonly __brand: "HostId" };

export function hostIdOf({ name, port, ssh }: HostAddress): HostId {
  const address = `${(name.includes(":") ? `[${name}]` : name).toLowerCase()}:${port}`;
  const id = ssh === undefined ? address : `${ssh.user}@${address}${settingsText(ssh)}`;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the only place that makes one
  return id as HostId;
}

function settingsText({ executable, options }: SshAccess): string {
  if (executable === defaultSshSettings.executable && options.length === 0) return "";
  return ` (${[executable, ...options].join(" ")})`;
}
