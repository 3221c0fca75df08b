import { outcomes, type Outcome } from "@homcc/observability/outcomes";
import { columns } from "./columns.ts";
import { bytesText, durationText } from "@homcc/observability/quantities";
import type { StatsReport } from "./stats.ts";

/** The statistics for people; `zero`: they are what was counted until now. */
export function renderStats(report: StatsReport, zero: boolean): string {
  const { since, note, totals, sentBytes, receivedBytes, seconds, compileSecondsOnServers } = report;
  const sums = [
    ["Since", since],
    ["Compiles", String(totals.compiles)],
    ["  remote", withShare(totals.remote, totals.compiles)],
    ["  local on purpose", withShare(totals.local, totals.compiles)],
    ["  fallback", withShare(totals.fallback, totals.compiles)],
    ["Other calls", `${totals.otherCalls} (links, configure checks, version queries, …)`],
    ["Sent, received", `${bytesText(sentBytes)}, ${bytesText(receivedBytes)}`],
    ["Time of remote jobs", durationText(seconds.remote * 1000)],
    ["  of it compiling", `${durationText(compileSecondsOnServers * 1000)}, not spent on this machine`],
    ["Time of local jobs", durationText(seconds.local * 1000)],
  ];
  if (report.incompleteScans > 0) {
    const cure = "homcc --verify-scan COMPILER … says which; please report them";
    sums.push(["Incomplete scans", `${report.incompleteScans}: files that homcc did not foresee. ${cure}`]);
  }
  const { identical, different, void: changed, impossible } = report.audits;
  if (identical + different + changed + impossible > 0) {
    const cure = different > 0 ? ": homcc audit says which" : "";
    const rest = `${changed} void, ${impossible} not possible`;
    sums.push([
      "Audits",
      `${identical} identical, ${different} ${different > 0 ? "DIFFERENT" : "different"}${cure}, ${rest}`,
    ]);
  }
  const lines = note === "" ? [] : [note, ""];
  lines.push(...columns(sums), "", ...outcomeLines(report));
  if (zero) lines.push("", "Counting begins anew.");
  return `${lines.join("\n")}\n`;
}

function outcomeLines(report: StatsReport): string[] {
  if (report.outcomes.length === 0) return ["No job has ended yet."];
  const rows = report.outcomes.flatMap(({ number, name, label, kind, count, seconds, details }) => {
    const { isNoCompile }: Outcome = outcomes[name];
    const shownKind = isNoCompile === true ? "other" : kind;
    const first = [String(number), String(count), durationText(seconds * 1000), shownKind, label];
    const sorted = Object.entries(details).toSorted(([, one], [, other]) => other - one);
    return [first, ...sorted.map(([detail, times]) => ["", String(times), "", "", `  ${detail}`])];
  });
  return columns([["OUTCOME", "COUNT", "TIME", "KIND", "LABEL"], ...rows]);
}

function withShare(count: number, total: number): string {
  return total === 0 ? String(count) : `${count} (${Math.round((100 * count) / total)} %)`;
}
