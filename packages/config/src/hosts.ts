/**
 * The hosts file, `HOMCC_HOSTS` and `--host`:
 *
 *     file    := line*                         lines end in LF or CR LF
 *     line    := host* ["#" comment]           blanks separate hosts
 *     host    := address ["/" limit] ("," word)*
 *     word    := compression | "key=" fingerprint | "tls"
 *     address := "srv:" name | name [":" port] | "[" ipv6 "]" [":" port] | ipv6 | [user] "@" address
 *
 * Blanks around `/`, `,`, `:` and `#` mean nothing. `localhost` is this machine: its limit counts local jobs, and it
 * is never contacted. An address with `@` is reached through SSH, also `@localhost`; its port is homccd's, not sshd's. With
 * `key=` or `tls` a server has to prove who it is, and nothing is ever said to it outside TLS. `srv:` names a pool: its servers
 * are those that DNS has in the SRV records of that name, and what else the line says holds for each of them.
 */
import { cutHosts } from "./host-text.ts";
import { type HostProtection, type ParsedHost, parseHost } from "./host.ts";
import type { Problem } from "./problem.ts";
import { defaultSshSettings, type SshAccess, type SshSettings } from "./ssh-access.ts";
import type { Compression } from "./values.ts";

/** A server that can be contacted. */
export interface Host {
  /** Name or IP address, without brackets. */
  readonly name: string;
  readonly port: number;
  /** Slots. 0: never choose this host. */
  readonly limit: number;
  /** For a peer that speaks the format of homcc 1.x; `undefined` and `no_compression` both mean none. */
  readonly compression: Compression | undefined;
  /** Set when the server is reached through SSH: `port` is then one of its loopback interface. */
  readonly ssh?: SshAccess;
  /** Set when the server has to prove who it is. */
  readonly tls?: TlsAccess;
  /** Set for a server that a pool's name stands for. */
  readonly pool?: PoolMembership;
  /** As configured, without blanks. */
  readonly text: string;
  /** `FILE:LINE:COLUMN`. */
  readonly source: string;
}

/** What DNS says of a server in its pool: RFC 2782. */
export interface PoolMembership {
  readonly name: string;
  /** Of those that can be reached, the servers with the lowest number get the jobs. */
  readonly priority: number;
  /** Among equals, its share. */
  readonly weight: number;
}

/** A line that names a pool of servers by DNS. */
export interface PoolLine {
  /** What the SRV records are asked for. */
  readonly name: string;
  /** Of each server. */
  readonly limit: number;
  readonly compression: Compression | undefined;
  readonly tls?: TlsAccess;
  readonly text: string;
  readonly source: string;
}

/** How a client shows who it is, as configured. */
export interface TlsSettings {
  /** In which `pairings` lie, the first one first. */
  readonly folders: readonly string[];
  /** PEM files of the company's, for hosts with `tls`. */
  readonly certificate: string | undefined;
  readonly key: string | undefined;
  readonly authorities: string | undefined;
}

export type TlsAccess = HostProtection & TlsSettings;

const defaultTlsSettings: TlsSettings = {
  folders: [],
  certificate: undefined,
  key: undefined,
  authorities: undefined,
};

/** How hosts are reached that need more than an address. */
export interface AccessSettings {
  readonly ssh?: SshSettings;
  readonly tls?: TlsSettings;
}

/** This machine as a place for jobs. */
export interface Localhost {
  readonly limit: number;
  /** False when no line says `localhost`: then local cores take no jobs that a server could do. */
  readonly configured: boolean;
}

export interface ParsedHosts {
  readonly hosts: readonly Host[];
  /** Each name once. */
  readonly pools: readonly PoolLine[];
  /** `undefined`: no line names localhost. */
  readonly localhostLimit: number | undefined;
  /** Every well-formed host as configured, without blanks. */
  readonly hostLines: readonly string[];
  readonly problems: readonly Problem[];
}

/**
 * Reads every host of `text`; what is wrong becomes a problem and the others count. `source` names the file, and `access`
 * says how hosts with an `@`, `key=` or `tls` are reached.
 */
export function parseHosts(text: string, source: string, access: AccessSettings = {}): ParsedHosts {
  const { ssh = defaultSshSettings, tls = defaultTlsSettings } = access;
  const hosts = new Map<string, Host>();
  const pools = new Map<string, PoolLine>();
  const hostLines: string[] = [];
  const problems: Problem[] = [];
  let localhostLimit: number | undefined;
  for (const hostText of cutHosts(text)) {
    const place = `${source}:${hostText.line}:${hostText.column}`;
    const parsed = parseHost(hostText);
    if (parsed.kind === "malformed") {
      problems.push({
        severity: "error",
        source: `${source}:${hostText.line}:${parsed.column}`,
        ...parsed.error,
      });
      continue;
    }
    hostLines.push(hostText.text);
    if (parsed.kind === "localhost") {
      problems.push(...localhostWarnings(parsed, localhostLimit, place));
      localhostLimit = parsed.limit;
    } else if (parsed.kind === "pool") {
      const { name, limit, compression, protection } = parsed;
      const secured = protection === undefined ? {} : { tls: { ...tls, ...protection } };
      addPool(pools, { name, limit, compression, ...secured, text: hostText.text, source: place }, problems);
    } else {
      const { host, sshUser, protection } = parsed;
      const way = sshUser === undefined ? {} : { ssh: { ...ssh, user: sshUser } };
      const secured = protection === undefined ? {} : { tls: { ...tls, ...protection } };
      addHost(hosts, { ...host, ...way, ...secured, text: hostText.text, source: place }, problems);
    }
  }
  return { hosts: [...hosts.values()], pools: [...pools.values()], localhostLimit, hostLines, problems };
}

function addPool(pools: Map<string, PoolLine>, pool: PoolLine, problems: Problem[]): void {
  const first = pools.get(pool.name);
  const used = first === undefined || (first.tls === undefined && pool.tls !== undefined) ? pool : first;
  pools.set(pool.name, used);
  if (first === undefined) return;
  problems.push({
    severity: "warning",
    source: pool.source,
    message: `'${pool.text}' is listed twice and counts once`,
    hint: `'${used.text}' at ${used.source} is used`,
  });
}

/**
 * The first line of an address counts: two entries for one server would let a job try the same server twice. But one that
 * demands a key beats one that does not: no other line makes a server less trusted.
 */
function addHost(hosts: Map<string, Host>, host: Host, problems: Problem[]): void {
  const login = host.ssh === undefined ? "" : `${host.ssh.user}@`;
  const address = `${login}${host.name.toLowerCase()} ${host.port}`;
  const first = hosts.get(address);
  if (first === undefined) {
    hosts.set(address, host);
    return;
  }
  const used = first.tls === undefined && host.tls !== undefined ? host : first;
  hosts.set(address, used);
  problems.push({
    severity: "warning",
    source: host.source,
    message: `'${host.text}' is listed twice and counts once`,
    hint: `'${used.text}' at ${used.source} is used`,
  });
}

function localhostWarnings(
  parsed: ParsedHost & { kind: "localhost" },
  earlierLimit: number | undefined,
  source: string,
): Problem[] {
  const warnings: Problem[] = [];
  if (earlierLimit !== undefined) {
    const message = `several localhost lines: the last one, localhost/${parsed.limit}, counts`;
    warnings.push({ severity: "warning", source, message, hint: "one localhost line is enough" });
  }
  if (parsed.hasPort) {
    const message = "localhost is never contacted, so its port means nothing";
    warnings.push({
      severity: "warning",
      source,
      message,
      hint: "127.0.0.1:PORT names a server on this machine",
    });
  }
  return warnings;
}
