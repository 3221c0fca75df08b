import { join } from "node:path";
import { CompilerIdentities } from "@homcc/compiler/compiler-identity";
import { installedLocales } from "@homcc/compiler/locales";
import { ToolchainInspector } from "@homcc/compiler/toolchain-inspector";
import { ProblemMemory } from "@homcc/config/problem";
import { InputDiscovery } from "@homcc/inputs/discovery";
import { ownRootIdentity } from "@homcc/launch/agent-identity";
import { systemClock } from "@homcc/observability/clock";
import type { Logger } from "@homcc/observability/log";
import { createLocalSlots } from "@homcc/scheduler/local-slots";
import { agentFolder } from "./agent-folder.ts";
import type { IdleWatch } from "./idle-watch.ts";
import { Servers } from "./servers.ts";
import type { Services } from "./services.ts";

/** What calls need, for an agent that serves many or for one call without an agent. */
export async function createServices(
  environment: Readonly<Record<string, string>>,
  logger: Logger,
  idle: Pick<IdleWatch, "idleTimeoutMs">,
): Promise<Services> {
  return {
    clock: systemClock,
    logger,
    compilers: new CompilerIdentities(),
    toolchains: new ToolchainInspector({ cacheFile: join(agentFolder(environment), "file-digests") }),
    discovery: new InputDiscovery(),
    servers: new Servers(logger),
    localSlots: createLocalSlots(undefined),
    reported: new ProblemMemory(),
    locales: await installedLocales(),
    idle,
    rootIdentity: ownRootIdentity(),
  };
}
