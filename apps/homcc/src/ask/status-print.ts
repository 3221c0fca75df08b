import type { AuditStatus } from "../agent-status.ts";
import { alarmsOf } from "../audit/alarms.ts";
import type { Finding } from "../audit/findings.ts";
import type { PoolStatus } from "../remote/pools/server-pools.ts";
import type { ServerStatus } from "../remote/server-status.ts";
import type { SlotHolder } from "../records/slot-holders.ts";
import { columns } from "./columns.ts";
import type { ShipmentStatus } from "../remote/toolchains/toolchain-shipments.ts";
import { bytesText, durationText } from "@homcc/observability/quantities";
import type { StatusReport } from "./status.ts";

const missing = "-";

/** The status for people; `nowMs` is milliseconds since the epoch. */
export function renderStatus(report: StatusReport, nowMs: number): string {
  const lines = [...agentLines(report, nowMs), "", ...serverLines(report.servers, nowMs)];
  if (report.pools.length > 0) lines.push("", ...report.pools.flatMap((pool) => poolLines(pool, nowMs)));
  if (report.agent !== null) {
    const { local, queues, toolchains } = report;
    if (toolchains.length > 0) lines.push("", ...toolchainLines(toolchains));
    lines.push("", `Local slots: ${local.slots.held} of ${local.slots.limit} held`, ...jobLines(local.jobs));
    lines.push(
      `Waiting: ${queues.servers} for servers, ${queues.local} for local slots, ${queues.discovery} for discovery`,
    );
    lines.push(auditLine(report.audits));
  }
  lines.push(...findingLines(report.audits.findings));
  return `${lines.join("\n")}\n`;
}

function auditLine({ counts, waiting }: AuditStatus): string {
  const { identical, different, void: changed, impossible } = counts;
  const kinds = [
    `${identical} identical`,
    `${different} different`,
    `${changed} void`,
    `${impossible} not possible`,
  ];
  return `Audits: ${kinds.join(", ")}; ${waiting} to come`;
}

/** Loud: something here may be wrong in the user's own files. */
function findingLines(findings: readonly Finding[]): string[] {
  if (findings.length === 0) return [];
  const bundles = findings.flatMap(({ bundle }) => (bundle === "" ? [] : [`    ${bundle}`]));
  return ["", ...alarmsOf(findings).map((text) => `WARNING: ${text}`), "Bundles for diagnosis:", ...bundles];
}

function agentLines(report: StatusReport, nowMs: number): string[] {
  if (report.agent === null) return [report.why];
  const { pid, version, since, socket, log } = report.agent;
  return columns([
    ["Agent", `${version}, process ${pid}`],
    ["Since", `${since} (${durationText(nowMs - Date.parse(since))})`],
    ["Socket", socket],
    ["Log", log === "" ? missing : log],
  ]);
}

function serverLines(servers: readonly ServerStatus[], nowMs: number): string[] {
  if (servers.length === 0) return ["No servers: write ~/.homcc/hosts or set HOMCC_HOSTS."];
  const heading = ["SERVER", "STATE", "SLOTS HELD", "SERVER'S SLOTS", "ROUND TRIP", "EXECUTOR", "VERSION"];
  const rows = servers.map(({ host, state, slots, serverSlots, roundTripMs, executors, version }) => [
    host,
    state,
    `${slots.held} of ${slots.limit}`,
    serverSlots === undefined ? missing : String(serverSlots),
    roundTripMs === undefined ? missing : `${roundTripMs} ms`,
    executors?.[0] ?? missing,
    version ?? missing,
  ]);
  const [titles = "", ...lines] = columns([heading, ...rows]);
  return [
    titles,
    ...servers.flatMap((server, index) => [
      lines[index] ?? "",
      ...reasonLines(server, nowMs),
      ...jobLines(server.jobs),
    ]),
  ];
}

function poolLines({ name, members, answeredAt, problem }: PoolStatus, nowMs: number): string[] {
  const age = answeredAt === undefined ? "" : `, by DNS ${durationText(nowMs - Date.parse(answeredAt))} ago`;
  const who = members.length === 0 ? "no servers known" : `${members.join(" ")}${age}`;
  return [`Pool srv:${name}: ${who}`, ...(problem === undefined ? [] : [`    ${problem}`])];
}

function toolchainLines(toolchains: readonly ShipmentStatus[]): string[] {
  const heading = ["TOOLCHAIN", "FOR SERVER", "STATE", "THERE", "REMAINING"];
  const rows = toolchains.map(({ toolchain, identity, host, state, sizeBytes, thereBytes, remainingMs }) => [
    `${toolchain} (${identity})`,
    host,
    state,
    sizeBytes === 0 ? missing : `${bytesText(thereBytes)} of ${bytesText(sizeBytes)}`,
    remainingMs === undefined ? missing : durationText(remainingMs),
  ]);
  const [titles = "", ...lines] = columns([heading, ...rows]);
  return [
    titles,
    ...toolchains.flatMap(({ reason }, index) => [
      lines[index] ?? "",
      ...(reason === undefined ? [] : [`    ${reason}`]),
    ]),
  ];
}

function reasonLines({ reason, nextTryAt }: ServerStatus, nowMs: number): string[] {
  if (reason === undefined) return [];
  if (nextTryAt === undefined) return [`    ${reason}`];
  return [`    ${reason}`, `    next try in ${durationText(Math.max(0, Date.parse(nextTryAt) - nowMs))}`];
}

function jobLines(jobs: readonly SlotHolder[]): string[] {
  return columns(jobs.map(({ job, seconds }) => [`    ${durationText(seconds * 1000)}`, job]));
}
