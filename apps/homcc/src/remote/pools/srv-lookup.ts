import { Resolver } from "node:dns/promises";

/** One server that an SRV record names. */
export interface PoolMember {
  readonly name: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
}

export type SrvLookup = (name: string) => Promise<readonly PoolMember[]>;

/** More servers than any build has slots for; an answer is not the user's own. */
const maxMembers = 256;
/** Each of two tries with each name server. */
const timeoutMs = 2_000;

/**
 * Asks the machine's name servers; a resolver each time, because they are others once a VPN is up. An answer that says that there is no
 * such service (a target of ".") is an empty list. Rejects when nobody answers, and when there is no such name.
 */
export const lookUpSrv: SrvLookup = async (name) => {
  const records = await new Resolver({ timeout: timeoutMs, tries: 2 }).resolveSrv(name);
  return records
    .filter((record) => isHostName(record.name) && record.port > 0)
    .slice(0, maxMembers)
    .map(({ name: target, port, priority, weight }) => ({
      name: target.toLowerCase().replace(/\.$/, ""),
      port,
      priority,
      weight,
    }));
};

/** What a line of the hosts file may be; whatever else a name server says reaches neither a terminal nor a resolver. */
function isHostName(name: string): boolean {
  return name.length <= 253 && /^[A-Za-z0-9_]([A-Za-z0-9._-]*)$/.test(name);
}
