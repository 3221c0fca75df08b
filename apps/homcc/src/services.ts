import type { CompilerIdentities } from "@homcc/compiler/compiler-identity";
import type { ToolchainInspector } from "@homcc/compiler/toolchain-inspector";
import type { InputDiscovery } from "@homcc/inputs/discovery";
import type { Gate } from "@homcc/inputs/gate";
import type { Clock } from "@homcc/observability/clock";
import type { Logger, LogLevel } from "@homcc/observability/log";
import type { SlotQueue } from "@homcc/scheduler/slots";
import type { Auditor } from "./audit/auditor.ts";
import type { Audits } from "./audit/audits.ts";
import type { HomeLoad } from "./home-load.ts";
import type { IdleWatch } from "./idle-watch.ts";
import type { OwnResults } from "./own-results.ts";
import type { Adviser } from "./remote/adviser.ts";
import type { ColdStart } from "./remote/cold-start.ts";
import type { InputSets } from "./remote/input-sets.ts";
import type { ServerPools } from "./remote/pools/server-pools.ts";
import type { Servers } from "./remote/servers.ts";
import type { SshTunnels } from "./remote/ssh-tunnels.ts";
import type { SlotHolders } from "./records/slot-holders.ts";
import type { StateFiles } from "./records/state-files.ts";
import type { JobStatistics } from "./records/statistics.ts";
import type { WarningRate } from "./words/warning-rate.ts";

/** What the calls of one agent share; built in `agent.ts`, the composition root. */
export interface Services {
  readonly clock: Clock;
  /** The agent's own log file. */
  readonly logger: Logger;
  readonly compilers: CompilerIdentities;
  readonly toolchains: ToolchainInspector;
  readonly discovery: InputDiscovery;
  /** Passed by compilations whose compiler is asked what it includes. */
  readonly discoveryGate: Pick<Gate, "waiting">;
  readonly inputSets: InputSets;
  /** Absent where nothing outlives the call. */
  readonly ownResults: Pick<OwnResults, "find" | "hold" | "isEmpty" | "keep"> | undefined;
  readonly servers: Servers;
  /** Servers that DNS names. */
  readonly pools: Pick<ServerPools, "describe" | "expand" | "resolve" | "resolveNow" | "status">;
  readonly audits: Audits;
  /** Absent where nothing outlives the call. */
  readonly auditor: Pick<Auditor, "sample" | "waiting"> | undefined;
  /** Ended with `servers`. */
  readonly tunnels: Pick<SshTunnels, "to">;
  /** Held by whatever compiles or links at home. */
  readonly localSlots: SlotQueue;
  /** Of them, with those that are about to ask for one. */
  readonly homeLoad: HomeLoad;
  /** Where a job is done sooner, from the ledger. */
  readonly adviser: Adviser;
  readonly coldStart: ColdStart;
  /** What users have been told about. */
  readonly warnings: WarningRate;
  readonly idle: Pick<IdleWatch, "idleTimeoutMs">;
  /** Of the agent's own log: the latest job's wish. */
  readonly logThreshold: { level: LogLevel };
  readonly statistics: Pick<JobStatistics, "count" | "countAudit" | "countIncompleteScan" | "read" | "zero">;
  readonly holders: SlotHolders;
  readonly stateFiles: StateFiles;
  /** Of this machine; the compiler takes any other for C. */
  readonly locales: ReadonlySet<string>;
  /** Identity of the file system the agent sees. */
  readonly rootIdentity: string;
}
