import type { QuestionSubject } from "@homcc/launch/question";
import { version } from "@homcc/config/version";
import type { Finding } from "./audit/findings.ts";
import type { Tally } from "./records/tally.ts";
import type { PoolStatus } from "./remote/pools/server-pools.ts";
import type { ServerStatus } from "./remote/server-status.ts";
import type { ShipmentStatus } from "./remote/toolchains/toolchain-shipments.ts";
import type { Services } from "./services.ts";
import { atHomePlace, type SlotHolder } from "./records/slot-holders.ts";

/** What a running agent says about itself: the text of an `answer` to `status`. */
export interface AgentStatus {
  readonly agent: {
    readonly pid: number;
    readonly version: string;
    /** ISO time of its start. */
    readonly since: string;
    readonly socket: string;
    /** Empty when its output is no file. */
    readonly log: string;
  };
  readonly servers: readonly ServerStatus[];
  /** On their way to servers, or refused there. */
  readonly toolchains: readonly ShipmentStatus[];
  /** Those that jobs have used. */
  readonly pools: readonly PoolStatus[];
  /** What runs on this machine: links, fallbacks, local compiles. */
  readonly local: {
    readonly slots: { readonly held: number; readonly limit: number };
    readonly jobs: readonly SlotHolder[];
  };
  readonly audits: AuditStatus;
  /** Jobs that wait: for a slot of a server, for a slot here, for being asked what they include. */
  readonly queues: { readonly servers: number; readonly local: number; readonly discovery: number };
}

/** What was compiled again here, and what came of it. */
export interface AuditStatus {
  readonly counts: Tally["audits"];
  /** Finished jobs that may be compiled again when nothing else happens. */
  readonly waiting: number;
  readonly findings: readonly Finding[];
}

export interface AgentPlace {
  readonly startedAtMs: number;
  readonly socketPath: string;
  readonly logPath: string | undefined;
}

/** Answers what `homcc status` and `homcc stats` ask, as JSON. */
export function answerQuestion(subject: QuestionSubject, services: Services, place: AgentPlace): string {
  switch (subject) {
    case "status":
      return JSON.stringify(agentStatus(services, place));
    case "stats":
      return JSON.stringify(services.statistics.read());
    case "zero-stats":
      return JSON.stringify(services.statistics.zero());
  }
}

function agentStatus(services: Services, place: AgentPlace): AgentStatus {
  const { localSlots, discoveryGate, holders, servers } = services;
  return {
    agent: {
      pid: process.pid,
      version: `homcc ${version}`,
      since: new Date(place.startedAtMs).toISOString(),
      socket: place.socketPath,
      log: place.logPath ?? "",
    },
    servers: servers.status(holders),
    pools: services.pools.status(),
    toolchains: servers.shipments?.status() ?? [],
    local: {
      slots: { held: localSlots.held, limit: localSlots.limit },
      jobs: holders.at(atHomePlace),
    },
    audits: {
      counts: services.statistics.read().audits,
      waiting: services.auditor?.waiting ?? 0,
      findings: services.audits.findings.all,
    },
    queues: { servers: servers.waiting, local: localSlots.waiting, discovery: discoveryGate.waiting },
  };
}
