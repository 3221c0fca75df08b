import { parseHost } from "@homcc/config/host";
import { cutHosts, type HostText } from "@homcc/config/host-text";
import type { Fingerprint } from "@homcc/identity/fingerprint";

/** What became of a host in the text of a hosts file. */
export type LineChange = "present" | "replaced" | "added";

export interface ChangedHosts {
  readonly text: string;
  readonly change: LineChange;
  /** The host as the text has it now. */
  readonly host: string;
}

/**
 * Sees to it that the text has the host with the pool's key, once. A host of that address keeps its place, its limit and its
 * compression, whatever it demanded before; everything else stays as it is, comments included.
 */
export function withHost(text: string, offered: string, fingerprint: Fingerprint): ChangedHosts {
  const same = cutHosts(text).filter((host) => addressOf(host.text) === addressOf(offered));
  const right = same.find((host) => host.text.split(",").includes(`key=${fingerprint}`));
  if (right !== undefined) return { text, change: "present", host: right.text };
  const [other] = same;
  if (other === undefined) {
    const host = `${offered},key=${fingerprint}`;
    const end = text === "" || text.endsWith("\n") ? "" : "\n";
    return { text: `${text}${end}${host}\n`, change: "added", host };
  }
  const [address = "", ...words] = other.text.split(",");
  const kept = words.filter((word) => word !== "tls" && !word.startsWith("key="));
  const limit = address.includes("/") ? "" : offered.replace(/^[^/]*/, "");
  const host = [`${address}${limit}`, ...kept, `key=${fingerprint}`].join(",");
  return { text: replaced(text, other, host), change: "replaced", host };
}

function replaced(text: string, old: HostText, by: string): string {
  const lines = text.split("\n");
  const content = lines[old.line - 1] ?? "";
  const end = old.columnAt(old.text.length - 1);
  lines[old.line - 1] = content.slice(0, old.column - 1) + by + content.slice(end);
  return lines.join("\n");
}

/** Name and port as they are compared; SSH leads elsewhere. */
function addressOf(text: string): string {
  const parsed = parseHost({ text, line: 1, column: 1, columnAt: (index) => index + 1 });
  if (parsed.kind === "pool") return `srv:${parsed.name}`;
  if (parsed.kind !== "server" || parsed.sshUser !== undefined) return text.replace(/[/,].*/, "");
  return `${parsed.host.name.toLowerCase()} ${parsed.host.port}`;
}
