import { BlockList, isIP, isIPv4, isIPv6 } from "node:net";

/** A set of IP addresses. */
export interface AddressRanges {
  /** As configured. */
  readonly text: string;
  /** False also for what is no IP address. IPv4 addresses in IPv6 form (`::ffff:10.0.0.1`) count as IPv4. */
  includes(address: string): boolean;
}

export const addressRangesAllowed =
  'addresses and ranges like 10.0.0.0/8 or fd00::/8 between blanks or commas, "private" and "any"';

/**
 * Loopback, private networks, link-local, and the shared range that VPNs such as Tailscale use: who is there was let
 * in by somebody. homccd has no authentication of its own, so that the rest of the internet must ask the administrator.
 */
export const privateRanges: readonly string[] = [
  "127.0.0.0/8",
  "10.0.0.0/8",
  "172.16.0.0/12",
  "192.168.0.0/16",
  "169.254.0.0/16",
  "100.64.0.0/10",
  "::1/128",
  "fc00::/7",
  "fe80::/10",
];

const keywords: ReadonlyMap<string, readonly string[]> = new Map([
  ["private", privateRanges],
  ["any", ["0.0.0.0/0", "::/0"]],
]);

/** `undefined` when one of the words is no range. */
export function parseAddressRanges(text: string): AddressRanges | undefined {
  const words = text.split(/[\s,]+/).filter((word) => word !== "");
  if (words.length === 0) return undefined;
  const list = new BlockList();
  for (const range of words.flatMap((word) => keywords.get(word.toLowerCase()) ?? [word])) {
    if (!addRange(list, range)) return undefined;
  }
  return { text: words.join(" "), includes: (address) => listIncludes(list, address) };
}

function addRange(list: BlockList, range: string): boolean {
  const [address = "", prefix, ...rest] = range.split("/");
  const family = isIP(address);
  if (family === 0 || address.includes("%") || rest.length > 0) return false;
  const maxPrefix = family === 4 ? 32 : 128;
  if (prefix !== undefined && !(/^\d{1,3}$/.test(prefix) && Number(prefix) <= maxPrefix)) return false;
  list.addSubnet(address, Number(prefix ?? maxPrefix), family === 4 ? "ipv4" : "ipv6");
  return true;
}

function listIncludes(list: BlockList, address: string): boolean {
  const plain = address.replace(/%.*$/, "").replace(/^::ffff:(?=\d+\.)/i, "");
  if (isIPv4(plain)) return list.check(plain, "ipv4");
  return isIPv6(plain) && list.check(plain, "ipv6");
}
