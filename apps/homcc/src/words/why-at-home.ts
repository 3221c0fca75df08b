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

/** The outcome of a job that the ledger keeps here, and the figures that made it. Begins with the server's name. */
export function whyAtHome(
  { why, homeMs, remoteMs, hostId }: Extract<Advice, { kind: "local" }>,
  links: LinkFigures,
): { readonly outcome: OutcomeName; readonly detail: string } {
  const { uploadBytesPerSecond, downloadBytesPerSecond } = links.link(hostId);
  const rates = [...rateText(uploadBytesPerSecond, "up"), ...rateText(downloadBytesPerSecond, "down")].join(
    ", ",
  );
  const link = rates === "" ? "" : ` (${rates})`;
  return {
    outcome: why === "share" ? "local-share" : "sooner-at-home",
    detail: `${hostId}${link}: ${secondsText(homeMs)} here, ${secondsText(remoteMs)} there`,
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
