import type { OutcomeName } from "@homcc/observability/outcomes";
import type { HostId } from "@homcc/scheduler/host";
import type { Advice } from "@homcc/scheduler/prediction";

/** What is known of the link to a server, in bytes per second. */
export interface LinkFigures {
  link(host: HostId): {
    readonly uploadBytesPerSecond: number | undefined;
    readonly downloadBytesPerSecond: number | undefined;
  };
}

/** The outcome of a job that comes home before a server compiled it, and why. Begins with the server's name. */
export function whyAtHome(
  { why, homeMs, remoteMs, hostId }: Extract<Advice, { kind: "local" }>,
  links: LinkFigures,
): { readonly outcome: OutcomeName; readonly detail: string } {
  if (why === "missed") return { outcome: "no-server", detail: `${hostId}: its connection ended` };
  const { uploadBytesPerSecond, downloadBytesPerSecond } = links.link(hostId);
  const rates = [...rateText(uploadBytesPerSecond, "up"), ...rateText(downloadBytesPerSecond, "down")].join(
    ", ",
  );
  const link = rates === "" ? "" : ` (${rates})`;
  const reason =
    why === "idle" || homeMs === undefined || remoteMs === undefined
      ? "files are still on their way, and local cores were idle"
      : `${secondsText(homeMs)} here, ${secondsText(remoteMs)} there`;
  return {
    outcome: why === "servers-are-slower" ? "sooner-at-home" : "local-share",
    detail: `${hostId}${link}: ${reason}`,
  };
}

function rateText(bytesPerSecond: number | undefined, direction: string): string[] {
  if (bytesPerSecond === undefined) return [];
  const megabits = (bytesPerSecond * 8) / 1e6;
  return [`${megabits < 10 ? megabits.toFixed(1) : megabits.toFixed(0)} Mbit/s ${direction}`];
}

function secondsText(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
