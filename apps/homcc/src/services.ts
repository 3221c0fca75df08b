import type { CompilerIdentities } from "@homcc/compiler/compiler-identity";
import type { ToolchainInspector } from "@homcc/compiler/toolchain-inspector";
import type { ProblemMemory } from "@homcc/config/problem";
import type { InputDiscovery } from "@homcc/inputs/discovery";
import type { Clock } from "@homcc/observability/clock";
import type { Logger } from "@homcc/observability/log";
import type { SlotQueue } from "@homcc/scheduler/slots";
import type { IdleWatch } from "./idle-watch.ts";
import type { Servers } from "./servers.ts";

/** What the calls of one agent share; built in `agent.ts`, the composition root. */
export interface Services {
  readonly clock: Clock;
  /** The agent's own log file. */
  readonly logger: Logger;
  readonly compilers: CompilerIdentities;
  readonly toolchains: ToolchainInspector;
  readonly discovery: InputDiscovery;
  readonly servers: Servers;
  /** Held by whatever compiles or links at home. */
  readonly localSlots: SlotQueue;
  /** Configuration problems that a user has been told about. */
  readonly reported: ProblemMemory;
  readonly idle: Pick<IdleWatch, "idleTimeoutMs">;
  /** Of this machine; the compiler takes any other for C. */
  readonly locales: ReadonlySet<string>;
  /** Identity of the file system the agent sees. */
  readonly rootIdentity: string;
}
