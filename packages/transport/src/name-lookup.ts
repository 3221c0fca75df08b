import { type LookupAddress, type LookupOptions, lookup } from "node:dns";

/** What `node:net` asks for the addresses of a name. */
type Answer = (
  error: NodeJS.ErrnoException | null,
  address: string | LookupAddress[],
  family?: number,
) => void;

const pending = new Map<string, Answer[]>();

/**
 * `dns.lookup`, anew for every connect: the system's own resolver with its hosts file, search list and split VPN name
 * servers. A look-up that is under way is shared: it cannot be cancelled and holds a thread for as long as the resolver
 * likes, 20 s and more, so that probes of a server whose name servers are gone must not begin another each time.
 */
export function lookUpName(hostname: string, options: LookupOptions, answer: Answer): void {
  const key = JSON.stringify([hostname, options.family, options.hints, options.all]);
  const waiting = pending.get(key);
  if (waiting !== undefined) {
    waiting.push(answer);
    return;
  }
  const answers = [answer];
  pending.set(key, answers);
  lookup(hostname, options, (error, address, family) => {
    pending.delete(key);
    for (const each of answers) each(error, address, family);
  });
}
