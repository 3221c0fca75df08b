import type { Host } from "@homcc/config/hosts";
import { shortFingerprint } from "@homcc/identity/fingerprint";
import { defaultSshSettings, type SshAccess } from "@homcc/config/ssh-access";

/** What placement needs to know of a host in the hosts file; one with limit 0 is never chosen. */
export type HostAddress = Pick<Host, "name" | "port" | "limit" | "ssh" | "tls" | "pool">;

/**
 * `name:port`, `name:port (key AbCdEfGhIjKl)` or `user@name:port`, the identity of a server: two lines of the hosts file that differ only in LIMIT are one
 * server. A server that has to prove who it is, by whatever key, never shares a connection with one that need not. With other options ssh may lead to another machine, so they belong to it: `user@name:port (ssh -p 2222)`.
 */
export type HostId = string & { readonly __brand: "HostId" };

export function hostIdOf({ name, port, ssh, tls }: HostAddress): HostId {
  const address = `${(name.includes(":") ? `[${name}]` : name).toLowerCase()}:${port}`;
  const id =
    ssh === undefined ? `${address}${protectionText(tls)}` : `${ssh.user}@${address}${settingsText(ssh)}`;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the only place that makes one
  return id as HostId;
}

/** The files behind `tls` are those of the job that dialled first: they belong to the user, as the agent does. */
function protectionText(tls: HostAddress["tls"]): string {
  if (tls === undefined) return "";
  return tls.kind === "pool" ? ` (key ${shortFingerprint(tls.fingerprint)})` : " (tls)";
}

function settingsText({ executable, options }: SshAccess): string {
  if (executable === defaultSshSettings.executable && options.length === 0) return "";
  return ` (${[executable, ...options].join(" ")})`;
}
