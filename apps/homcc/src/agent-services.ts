import { availableParallelism } from "node:os";
import { join } from "node:path";
import { CompilerIdentities } from "@homcc/compiler/compiler-identity";
import { installedLocales } from "@homcc/compiler/locales";
import { isSandboxOwn } from "@homcc/compiler/sandbox-folders";
import { ToolchainInspector } from "@homcc/compiler/toolchain-inspector";
import { createFinder, InputDiscovery } from "@homcc/inputs/discovery";
import { FileDigests } from "@homcc/inputs/file-digests";
import type { FolderWatches } from "@homcc/inputs/folder-watches";
import { Gate } from "@homcc/inputs/gate";
import { ownRootIdentity } from "@homcc/launch/agent-identity";
import { launchPaths, preparePrivateFolder } from "@homcc/launch/paths";
import { systemClock } from "@homcc/observability/clock";
import type { Logger } from "@homcc/observability/log";
import type { KeptDirectives } from "@homcc/inputs/kept-directives";
import { Ledger } from "@homcc/scheduler/ledger";
import { createLocalSlots } from "@homcc/scheduler/local-slots";
import type { SshFolder } from "@homcc/transport/ssh-tunnel";
import { agentFolder } from "./agent-folder.ts";
import type { Auditor } from "./audit/auditor.ts";
import { Audits } from "./audit/audits.ts";
import { HomeLoad } from "./home-load.ts";
import { Adviser } from "./remote/adviser.ts";
import { ColdStart } from "./remote/cold-start.ts";
import { InputSets } from "./remote/input-sets.ts";
import { RecentContents } from "./remote/recent-contents.ts";
import type { KnownContents } from "./remote/server-session.ts";
import { OutputBases } from "./remote/output-bases.ts";
import { poolFilePath } from "./remote/pools/pool-file.ts";
import { ServerPools } from "./remote/pools/server-pools.ts";
import { Servers } from "./remote/servers.ts";
import { SshTunnels } from "./remote/ssh-tunnels.ts";
import type { Services } from "./services.ts";
import { SlotHolders } from "./records/slot-holders.ts";
import { StateFiles } from "./records/state-files.ts";
import { WarningRate } from "./words/warning-rate.ts";

/** What pays only in a process that serves many calls. */
export interface LastingServices {
  readonly directives?: KeptDirectives;
  readonly watches?: FolderWatches;
  readonly ledger?: Ledger;
  /** This process stays until the returned object is disposed: it may send toolchains. */
  readonly busy?: () => Disposable;
  readonly createAuditor?: (audits: Audits) => Auditor;
}

/** What calls need, for an agent that serves many or for one call without an agent. */
export async function createServices(
  environment: Readonly<Record<string, string>>,
  logger: Logger,
  own: Pick<Services, "idle" | "logThreshold" | "statistics" | "ownResults">,
  lasting: LastingServices = {},
  programFolder = import.meta.dirname,
): Promise<Services> {
  const { directives, watches, ledger = new Ledger(), busy } = lasting;
  const discoveryGate = new Gate(availableParallelism());
  const known: KnownContents = {
    recent: new RecentContents(),
    outputs: new OutputBases(join(agentFolder(environment), "outputs"), own.ownResults, logger),
  };
  const digests = new FileDigests({
    // What a package manager installs is not edited.
    onRead: ({ path, digest }, bytes) => {
      if (!isSandboxOwn(path)) known.recent.keep(path, digest, bytes);
    },
  });
  const tunnels = new SshTunnels(sshFolder(environment));
  const servers = new Servers(logger, tunnels, systemClock, known, busy);
  const pools = new ServerPools({ path: poolFilePath(environment), logger });
  servers.followPools((list) => pools.expand(list).hosts);
  pools.onChange(() => servers.membersChanged());
  const localSlots = createLocalSlots(undefined);
  const homeLoad = new HomeLoad(localSlots);
  const toolchains = new ToolchainInspector({
    cacheFile: join(agentFolder(environment), "file-digests"),
    logger,
  });
  const audits = new Audits({
    folder: agentFolder(environment),
    programFolder,
    digests,
    toolchains,
    count: (kind) => own.statistics.countAudit(kind),
    logger,
  });
  return {
    clock: systemClock,
    logger,
    compilers: new CompilerIdentities(),
    toolchains,
    audits,
    auditor: lasting.createAuditor?.(audits),
    discovery: new InputDiscovery(
      createFinder({
        gate: discoveryGate,
        digests,
        ...(directives === undefined ? {} : { store: directives }),
        ...(watches === undefined ? {} : { watches }),
        onIncompleteScan: ({ source, missing }) => {
          own.statistics.countIncompleteScan();
          const what = missing.length > 0 ? missing.join(" ") : "what the compiler may read";
          logger.warning(
            `${source}: the include scanner did not find ${what}; until the agent ends, the compiler lists the files of all commands with these options`,
          );
        },
      }),
    ),
    discoveryGate,
    inputSets: new InputSets(),
    tunnels,
    servers,
    pools,
    localSlots,
    homeLoad,
    adviser: new Adviser(ledger, servers, homeLoad),
    coldStart: new ColdStart(homeLoad),
    warnings: new WarningRate(systemClock, (text) => logger.info(text)),
    locales: await installedLocales(),
    holders: new SlotHolders(systemClock),
    stateFiles: new StateFiles(systemClock, logger),
    ...own,
    rootIdentity: ownRootIdentity(),
  };
}

/** Beside the agent's own socket, where nobody else can connect. */
function sshFolder(environment: Readonly<Record<string, string>>): SshFolder {
  const uid = process.getuid?.() ?? 0;
  const { socketFolder } = launchPaths(environment, uid, process.cwd());
  return { path: socketFolder, prepare: () => preparePrivateFolder(socketFolder, uid) };
}
