/** The agent: one process per user that does the work of all launchers. This file builds its parts and nothing else. */
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { removeParts } from "@homcc/cas/replace-file";
import { loadSettings } from "@homcc/config/load";
import { FolderWatches } from "@homcc/inputs/folder-watches";
import { KeptDirectives } from "@homcc/inputs/kept-directives";
import { agentLogFile } from "@homcc/launch/agent-log";
import { serveLaunches } from "@homcc/launch/server";
import { systemClock } from "@homcc/observability/clock";
import { describeError } from "@homcc/observability/error";
import { createLogger, serverLine } from "@homcc/observability/log";
import { agentFolder } from "./agent-folder.ts";
import { createServices } from "./agent-services.ts";
import { answerQuestion } from "./agent-status.ts";
import type { Auditor } from "./audit/auditor.ts";
import { whyBusy } from "./audit/idleness.ts";
import { handleCall } from "./call.ts";
import { keepCompiledCode } from "./compiled-code.ts";
import { releaseAfterMs, releaseMemory } from "./idle-memory.ts";
import { IdleWatch } from "./idle-watch.ts";
import { limitHeapGrowth, watchHeapGrowth, withoutHeapGrowthLimit } from "./heap-growth.ts";
import { OwnResults } from "./own-results.ts";
import { LedgerFile, ledgerFilePath } from "./records/ledger-file.ts";
import { JobStatistics } from "./records/statistics.ts";
import { tallyFilePath } from "./records/tally-file.ts";
import { rememberTemporaryOutputs } from "./remote/temporary-outputs.ts";

const { values } = parseArgs({
  options: { "listen-fd": { type: "string" }, socket: { type: "string" }, identity: { type: "string" } },
});
const { socket: socketPath, identity } = values;
if (socketPath === undefined || identity === undefined) {
  throw new Error("the agent is started by the launcher: agent --socket PATH --identity ID [--listen-fd N]");
}

const environment = Object.fromEntries(
  Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
);
const { settings } = await loadSettings({ environment });
const logThreshold = { level: settings.agentLogLevel };
const log = agentLogFile();
const logger = createLogger(
  () => logThreshold.level,
  serverLine,
  (line) => log.write(line),
);
const idle = new IdleWatch(settings.agentIdleTimeoutMs, () => void shutDown("idle"));
const statistics = new JobStatistics(tallyFilePath(environment), systemClock, logger);
const ownResults = new OwnResults(join(agentFolder(environment), "results"), logger);
const directives = new KeptDirectives(join(agentFolder(environment), "directives"), {
  onProblem: (error) => logger.warning(`lists of directives are not kept: ${describeError(error)}`),
});
const watches = new FolderWatches({
  cookieFolder: dirname(socketPath),
  onProblem: (error) =>
    logger.info(`headers of the system are looked at for each file: ${describeError(error)}`),
});
void removeParts(agentFolder(environment));
const forgetTemporaryOutputs = await rememberTemporaryOutputs(join(agentFolder(environment), "unfinished"));
const ledgerFile = new LedgerFile(ledgerFilePath(environment), logger);
let auditor: Auditor | undefined;
const services = await createServices(
  environment,
  logger,
  { idle, logThreshold, statistics, ownResults },
  {
    directives,
    watches,
    ledger: ledgerFile.ledger,
    busy: () => idle.busy(),
    createAuditor: (audits) => (auditor = audits.createAuditor({ whyBusy })),
  },
);
const memory = new IdleWatch(releaseAfterMs, () => {
  withoutHeapGrowthLimit(keepCompiledCode);
  releaseMemory([services.discovery, services.servers]);
});
const place = { startedAtMs: systemClock.wallMs(), socketPath, logPath: log.path };
const launchServer = await serveLaunches({
  path: socketPath,
  identity,
  ...(values["listen-fd"] === undefined ? {} : { listenFd: Number(values["listen-fd"]) }),
  onLaunch: async (call) => {
    using _busy = idle.busy();
    using _inUse = memory.busy();
    using _building = auditor?.busy();
    using _heap = watchHeapGrowth();
    await handleCall(call, services);
    ledgerFile.changed();
  },
  onQuestion: async (subject) => answerQuestion(subject, services, place),
  onRetired: () => void shutDown("replaced by another version"),
  onError: (error) => logger.error(error instanceof Error ? (error.stack ?? error.message) : String(error)),
});
limitHeapGrowth();
logger.info(`agent ${identity} listens on ${socketPath}`);
process.on("SIGTERM", () => void shutDown("SIGTERM"));
process.on("SIGINT", () => void shutDown("SIGINT"));

/** Takes no more calls, finishes the open ones, and ends. */
async function shutDown(reason: string): Promise<void> {
  logger.info(`the agent ends: ${reason}`);
  await launchServer.close();
  await auditor?.close();
  services.servers.close();
  services.warnings.close();
  statistics.save();
  await directives.release();
  ledgerFile.save();
  await ownResults.close();
  await forgetTemporaryOutputs();
  process.exit(0);
}
