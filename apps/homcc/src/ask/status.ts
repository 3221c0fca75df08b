import { type LoadedSettings, loadSettings } from "@homcc/config/load";
import { hostIdOf } from "@homcc/scheduler/host";
import { silentLogger } from "@homcc/observability/log";
import { agentFolder } from "../agent-folder.ts";
import type { AgentStatus, AuditStatus } from "../agent-status.ts";
import { findingsOf } from "../audit/audits.ts";
import { poolFilePath } from "../remote/pools/pool-file.ts";
import { type PoolStatus, ServerPools } from "../remote/pools/server-pools.ts";
import type { ServerStatus } from "../remote/server-status.ts";
import type { Shown } from "../show.ts";
import { absenceText, askOwnAgent } from "./asked-agent.ts";
import { renderStatus } from "./status-print.ts";

/** `homcc status --json`; without an agent that answers, `agent`, `local` and `queues` are null. */
export type StatusReport =
  | AgentStatus
  | {
      readonly agent: null;
      /** Why there is none, for people. */
      readonly why: string;
      readonly servers: readonly ServerStatus[];
      /** By what earlier agents were told. */
      readonly pools: readonly PoolStatus[];
      readonly toolchains: null;
      readonly local: null;
      readonly audits: Pick<AuditStatus, "findings">;
      readonly queues: null;
    };

/** `homcc status`: what the agent says, and the configured servers that it has not used yet. Starts no agent. */
export async function showStatus(
  json: boolean,
  environment: Readonly<Record<string, string>>,
  options: Readonly<Record<string, string>>,
): Promise<Shown> {
  const { agent, paths } = await askOwnAgent("status", environment);
  const loaded = await loadSettings({ environment, commandLine: options, cwd: process.cwd() });
  const pools = new ServerPools({ path: poolFilePath(environment), logger: silentLogger });
  const configured = configuredServers(pools.expand(loaded));
  const report: StatusReport =
    agent.kind === "answered"
      ? withConfigured(parseStatus(agent.text), configured)
      : {
          agent: null,
          why: absenceText(agent.kind, paths),
          servers: configured,
          pools: pools.status(loaded.pools.map(({ name }) => name)),
          toolchains: null,
          local: null,
          audits: { findings: findingsOf(agentFolder(environment), silentLogger).all },
          queues: null,
        };
  const stdout = json ? `${JSON.stringify(report, undefined, 2)}\n` : renderStatus(report, Date.now());
  return { status: 0, stdout, stderr: "" };
}

/** Written by an agent of the same build: its identity was compared. */
function parseStatus(text: string): AgentStatus {
  const status: AgentStatus = JSON.parse(text);
  return status;
}

function configuredServers({ hosts }: Pick<LoadedSettings, "hosts">): ServerStatus[] {
  return hosts.map((host) => ({
    host: hostIdOf(host),
    state: "unused",
    slots: { held: 0, limit: host.limit },
    jobs: [],
  }));
}

function withConfigured(status: AgentStatus, configured: readonly ServerStatus[]): AgentStatus {
  const known = new Set(status.servers.map(({ host }) => host));
  return { ...status, servers: [...status.servers, ...configured.filter(({ host }) => !known.has(host))] };
}
