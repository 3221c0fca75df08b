/** homccd: the build server. This file builds its parts, inside-out, and waits for the end. */
import { readFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { join } from "node:path";
import { getHeapStatistics } from "node:v8";
import type { BlobStore } from "@homcc/cas/blob-store";
import { DeduplicatingBlobStore } from "@homcc/cas/deduplicating-blob-store";
import { DigestIndex } from "@homcc/cas/digest-index";
import { DiskBlobStore } from "@homcc/cas/disk-blob-store";
import { removeParts, replaceFile } from "@homcc/cas/replace-file";
import { LocalFileAdoption } from "@homcc/cas/local-file-adoption";
import { installedLocales } from "@homcc/compiler/locales";
import { ToolchainInspector } from "@homcc/compiler/toolchain-inspector";
import type { ServerSettings } from "@homcc/config/settings";
import type { ShippedLayers } from "@homcc/execution/shipped-layers";
import { describeError, exitStatusOf, HomccError } from "@homcc/observability/error";
import { createLogger, type Logger, serverLine } from "@homcc/observability/log";
import { EntryBudget } from "@homcc/protocol/entry-budget";
import { MentionsByDigest } from "@homcc/results/mentions";
import { ResultCache } from "@homcc/results/result-cache";
import { SlotQueue } from "@homcc/scheduler/slots";
import type { ServerServices } from "./client-session.ts";
import { parseServerCommandLine } from "./command-line.ts";
import { enterAccount } from "./enter-account.ts";
import { chooseExecutor } from "./executors.ts";
import { Executions } from "./executions.ts";
import { ServerInventory } from "./inventory.ts";
import { listenOn, listenOnPassed, passedSockets } from "./listening.ts";
import { AccessLog } from "./operations/access-log.ts";
import { Activity } from "./operations/activity.ts";
import { ClientAccounts, type ClientLimits } from "./operations/client-accounts.ts";
import { MemoryGate } from "./operations/memory-gate.ts";
import { readMemory } from "./operations/memory-reading.ts";
import { systemTimers } from "@homcc/transport/timers";
import { systemClock } from "@homcc/observability/clock";
import { Clients } from "./operations/clients.ts";
import { storageReport } from "./operations/storage-report.ts";
import { type ControlAnswer, type ControlCommand, openControlSocket } from "./operations/control-socket.ts";
import { Ending } from "./operations/ending.ts";
import { LiveSettings } from "./operations/live-settings.ts";
import { afterPredecessor } from "./operations/predecessor.ts";
import { ClientAuthentication } from "./identity/client-authentication.ts";
import { LastSeen } from "./identity/last-seen.ts";
import { OwnCompilers } from "./own-compilers.ts";
import { NameProofs } from "./name-proofs.ts";
import { OutputCoding } from "./output-coding.ts";
import { packOutput } from "./packed-output.ts";
import { Administration } from "./sandboxes/administration.ts";
import { Sandboxes, tagOf } from "./sandboxes/sandboxes.ts";
import { SharedFolder } from "./sandboxes/shared-folder.ts";
import { Reception, serverName, type Serving, whyNoLonger } from "./reception.ts";
import { ResultReuse } from "./result-reuse.ts";
import { StoreFence } from "./store-fence.ts";
import { usingStore } from "./store-folder.ts";
import { ToolchainRegistry } from "./toolchain-registry.ts";
import { HomeFiles } from "./toolchains/home-files.ts";
import { RegisteredFolders } from "./toolchains/registered-folders.ts";
import type { ToolchainShipping } from "./toolchains/toolchain-intake.ts";
import { CallPlaces } from "./v1/call-place.ts";
import { V1Sessions } from "./v1/executor-sessions.ts";
import { LocalCompilers } from "./v1/local-compiler.ts";
import type { V1Services } from "./v1/v1-client.ts";

const clients = new Clients();
const ending = new Ending();
const clientLimits = (): ClientLimits => ({
  maxConnections: live.current.maxConnectionsPerClient,
  maxJobs: live.current.maxJobsPerClient,
  maxBytesPerSecond: live.current.maxBytesPerSecondPerClient,
});
const accounts = new ClientAccounts(clientLimits, systemClock);
/** Connections that have not said who they are; by address. */
const arrivals = new ClientAccounts(clientLimits, systemClock);
/** Nothing of this homccd holds its store any more. */
const ended = Promise.withResolvers<void>();
/** A router that starts anew, or a laptop that changes from cable to radio, is back within half a minute, or not soon. */
const lostClientGraceMs = 30_000;

const passed = passedSockets(process.env);
const environment = Object.fromEntries(
  Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
);
const command = await parseServerCommandLine(process.argv.slice(2), { environment, cwd: process.cwd() });
if (command.kind === "exit") {
  process.stdout.write(command.stdout);
  process.stderr.write(command.stderr);
  process.exit(command.status);
}
const { settings } = command;
const live = new LiveSettings(settings, command.again);
const logger = createLogger(
  () => live.current.logLevel,
  serverLine,
  (line) => process.stderr.write(line),
);
const accessLog = new AccessLog(logger);
for (const warning of command.warnings) logger.warning(warning);
try {
  await serve(settings, logger);
} catch (error) {
  logger.critical(describeError(error));
  process.exit(error instanceof HomccError ? (exitStatusOf[error.code] ?? 1) : 1);
}

async function serve(settings: ServerSettings, logger: Logger): Promise<void> {
  const started = Promise.withResolvers<Serving>();
  const parts = { live, ending, clients, accounts, arrivals, logger };
  const reception = new Reception(parts, started.promise);
  ending.heedSignals();
  process.on("SIGHUP", () => void reload().catch((error: unknown) => logger.error(describeError(error))));
  const take = (socket: Socket): void => reception.take(socket);
  const listening =
    passed > 0 ? await listenOnPassed(passed, logger, take) : await listenOn(settings, logger, take);
  // Read while we may still be root: the account we become may not be able to reach the program's folder.
  const runnerProgram = await readFile(join(import.meta.dirname, "runner"));
  const isRoot = process.getuid?.() === 0;
  using authentication = await ClientAuthentication.open(settings, logger);
  const door = await usingStore(settings.store, () => enterAccount(settings, logger));
  const runner = join(settings.store, "runner");
  const disk = await usingStore(settings.store, async () => {
    const opened = await afterPredecessor(settings.store, logger, () =>
      DiskBlobStore.open({
        folder: join(settings.store, "blobs"),
        maxBytes: settings.maxDependencyCacheBytes,
        minFreeBytes: settings.minFreeBytes,
        maxBytesPerClient: () =>
          live.current.maxStorageBytesPerClient ?? settings.maxDependencyCacheBytes / 2,
        logger,
      }),
    );
    // The store is ours: a homccd that is about to end still starts the program of its own version, and the program of one
    // that has just been killed may still run.
    await replaceFile(runner, runnerProgram, 0o755);
    return opened;
  });
  void removeParts(settings.store);
  const store = new DeduplicatingBlobStore(disk);
  const inspector = new ToolchainInspector({
    cacheFile: join(settings.store, "toolchain-file-digests"),
    logger,
  });
  const toolchains = new ToolchainRegistry(inspector, new StoreFence(settings.store));
  const chosen = await usingStore(settings.store, () =>
    chooseExecutor({
      choice: settings.executor,
      replay: settings.replay,
      store,
      toolchains,
      folder: settings.store,
      runner,
      startFreeBytes: settings.minFreeBytes,
      toolchainCacheBytes: settings.toolchainCacheBytes,
      logger,
    }),
  );
  const { executor } = chosen;
  authentication.checkJobs(chosen.jobsSeeAccount, isRoot, logger);
  const shared = new SharedFolder(settings.sandboxFolder, tagOf(settings.store), runner);
  const administration = new Administration(environment);
  const sandboxes = new Sandboxes({
    administration,
    allowed: {
      get allowedProfiles() {
        return live.current.allowedProfiles;
      },
      get allowedContainers() {
        return live.current.allowedContainers;
      },
    },
    tag: tagOf(settings.store),
    namespaces: executor.name === "namespace",
    door,
    runnerProgram: runner,
    folder: join(settings.store, "sandboxes"),
    shared,
    blobs: store,
    startFreeBytes: settings.minFreeBytes,
    variables: administration.environment,
    logger,
  });
  await sandboxes.cleanUp();
  const gate: MemoryGate = new MemoryGate({
    read: readMemory,
    minFreeBytes: () => live.current.minFreeMemoryBytes,
    clock: systemClock,
    timers: systemTimers,
    onShut: (why) => logger.debug(`jobs wait: ${why}`),
    onLook: () => slots.lookAgain(),
    onLongShut: (reason) => slots.refuseWaiting(reason),
  });
  const slots = new SlotQueue(settings.limit, (running) => gate.admits(running));
  live.onReload(({ limit }) => slots.resize(limit));
  await accessLog.open(settings.accessLog);
  const activity = new Activity(
    logger,
    () => ({
      clients: accounts.size,
      connections: clients.connections,
      running: slots.held,
      waiting: slots.waiting,
      ...clients.bytes,
      memoryBytes: process.memoryUsage.rss(),
      availableBytes: gate.availableBytes,
    }),
    (record) => accessLog.write(record),
  );
  const proofs = new NameProofs({ store, slots, logger });
  const { PATH: path = "/usr/local/bin:/usr/bin:/bin" } = environment;
  const services: ServerServices = {
    store,
    countFor: (client, digest) => disk.countFor(client, digest),
    adoption: new LocalFileAdoption({ store, logger }),
    toolchains,
    shipping:
      chosen.shipped === undefined ? undefined : shippingWith(chosen.shipped, settings, store, logger),
    sandboxes,
    results: new ResultReuse(
      settings.noResultCache ? undefined : await openResults(settings, store, logger),
      new MentionsByDigest(store),
      proofs,
    ),
    inventory: new ServerInventory(new OwnCompilers(path), () => sandboxes.offers()),
    outputs: new OutputCoding(store),
    executions: new Executions(),
    accounts,
    activity,
    lostClientGraceMs,
    slots,
    entryBudget: new EntryBudget(getHeapStatistics().heap_size_limit / 2),
    executor: executor.name,
    locales: await installedLocales(),
    logger,
  };
  const v1Sessions = new V1Sessions(chosen.v1Executor);
  const v1: V1Services = {
    store,
    accounts,
    activity,
    slots: services.slots,
    places: new CallPlaces(
      { sessions: v1Sessions, path, hasClientPaths: chosen.announced.includes("namespace") },
      new LocalCompilers(toolchains, path),
      sandboxes,
    ),
    sha1: await DigestIndex.open(join(settings.store, "sha1-index"), logger),
    logger,
  };
  const turnOut = (): void => clients.turnOut((client) => whyNoLonger(client, authentication));
  authentication.watchRevocations(turnOut);
  const lastSeen = new LastSeen(settings.store);
  const control = await usingStore(settings.store, () =>
    openControlSocket(settings.store, (command, answer) =>
      command === "storage"
        ? Promise.resolve(JSON.stringify(storageReport(disk, live.current.maxStorageBytesPerClient)))
        : administer(command, answer),
    ),
  );
  started.resolve({ services, v1, activity, authentication, lastSeen, ...chosen });
  logger.info(authentication.describe(settings.allow.text));
  process.stdout.write(
    `${serverName} listening on ${listening.addresses.join(",")} port ${listening.port}, ${settings.limit} slots, executor ${executor.name}\n`,
  );

  const drain = await ending.begun;
  logger.info(`ending: ${clients.connections} connections, ${clients.jobs} jobs`);
  listening.close();
  proofs.close();
  using patience = timeLimit(live.current.drainTimeoutMs);
  const isDrained = await Promise.race([
    clients.drain(drain).then(() => true),
    patience.over.then(() => false),
    ending.hurried.then(() => false),
  ]);
  if (!isDrained) logger.warning(`${clients.jobs} jobs are not finished; their clients try again elsewhere`);
  services.executions.close(new Error("homccd is ending"));
  await clients.end();
  await reception.close();
  gate.close();
  activity.close();
  await accessLog.close();
  await v1Sessions.close();
  await v1.sha1.flush();
  await sandboxes[Symbol.asyncDispose]();
  await shared[Symbol.asyncDispose]();
  await disk[Symbol.asyncDispose]();
  ended.resolve();
  await control[Symbol.asyncDispose]();
  process.exit(0);
}

async function openResults(settings: ServerSettings, store: BlobStore, logger: Logger): Promise<ResultCache> {
  const index = await DigestIndex.open(join(settings.store, "result-index"), logger);
  const folder = join(settings.store, "results");
  return await ResultCache.open({ store, index, folder, logger, pack: packOutput });
}

function shippingWith(
  layers: ShippedLayers,
  settings: ServerSettings,
  store: BlobStore,
  logger: Logger,
): ToolchainShipping {
  const folders = new RegisteredFolders(settings.store);
  const registered = (): Promise<readonly string[]> => folders.list();
  const home = new HomeFiles({ store, registered, logger });
  const { toolchains: choice, maxToolchainBytes: maxBytes, maxDependencyCacheBytes: storeBytes } = settings;
  return { layers, home, registered, choice, maxBytes, storeBytes, store, logger };
}

/** What `homccd drain` and its like ask for. */
async function administer(
  command: Exclude<ControlCommand, "storage">,
  answer: ControlAnswer,
): Promise<string> {
  switch (command) {
    case "drain": {
      ending.ask("leaving");
      const report = (): void =>
        answer.progress(`${clients.jobs} jobs to finish, ${clients.connections} connections`);
      report();
      const timer = setInterval(report, 1_000);
      await ended.promise;
      clearInterval(timer);
      return "drained";
    }
    case "reload":
      return (await reload()).join("\n");
    case "follow":
      if (ending.drain === undefined) return "serving";
      answer.progress("ending");
      await ended.promise;
      return "ended";
  }
}

/** At SIGHUP, and on request. */
async function reload(): Promise<readonly string[]> {
  const lines = [...(await live.reload())];
  await accessLog.open(live.current.accessLog).catch((error: unknown) => lines.push(describeError(error)));
  for (const line of lines) logger.info(line);
  return lines;
}

function timeLimit(limitMs: number): Disposable & { readonly over: Promise<void> } {
  const over = Promise.withResolvers<void>();
  const timer = setTimeout(over.resolve, limitMs);
  return { over: over.promise, [Symbol.dispose]: () => clearTimeout(timer) };
}
