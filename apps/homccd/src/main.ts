/** homccd: the build server. This file builds its parts, inside-out, and waits for the end. */
import { readFile, rename, writeFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { join } from "node:path";
import { getHeapStatistics } from "node:v8";
import type { BlobStore } from "@homcc/cas/blob-store";
import { DeduplicatingBlobStore } from "@homcc/cas/deduplicating-blob-store";
import { DigestIndex } from "@homcc/cas/digest-index";
import { DiskBlobStore } from "@homcc/cas/disk-blob-store";
import { removeParts } from "@homcc/cas/replace-file";
import { LocalFileAdoption } from "@homcc/cas/local-file-adoption";
import { installedLocales } from "@homcc/compiler/locales";
import { ToolchainInspector } from "@homcc/compiler/toolchain-inspector";
import type { ServerSettings } from "@homcc/config/settings";
import { version } from "@homcc/config/version";
import type { Executor, ExecutorSession } from "@homcc/execution/executor";
import type { ShippedLayers } from "@homcc/execution/shipped-layers";
import { describeError, exitStatusOf, HomccError } from "@homcc/observability/error";
import { createLogger, type Logger, serverLine } from "@homcc/observability/log";
import { EntryBudget } from "@homcc/protocol/entry-budget";
import { knownCapabilities } from "@homcc/protocol/hello";
import { MentionsByDigest } from "@homcc/results/mentions";
import { ResultCache } from "@homcc/results/result-cache";
import { SlotQueue } from "@homcc/scheduler/slots";
import { acceptConnection } from "@homcc/transport/accept";
import type { ServerChannel } from "@homcc/transport/channel";
import { ClientSession, type ServerServices } from "./client-session.ts";
import { parseServerCommandLine } from "./command-line.ts";
import { diskOf } from "./disk-space.ts";
import { chooseExecutor, type ChosenExecutor } from "./executors.ts";
import { Executions } from "./executions.ts";
import { ServerInventory } from "./inventory.ts";
import { listenOn, listenOnPassed, passedSockets } from "./listening.ts";
import { shuttingDown } from "./job-refusal.ts";
import { AccessLog } from "./operations/access-log.ts";
import { Activity } from "./operations/activity.ts";
import { ClientAccounts, type ClientLimits } from "./operations/client-accounts.ts";
import { MemoryGate } from "./operations/memory-gate.ts";
import { readMemory } from "./operations/memory-reading.ts";
import { addressIdentity, identityText } from "@homcc/transport/client-identity";
import { systemTimers } from "@homcc/transport/timers";
import { systemClock } from "@homcc/observability/clock";
import { Clients } from "./operations/clients.ts";
import { type ControlAnswer, type ControlCommand, openControlSocket } from "./operations/control-socket.ts";
import { Ending } from "./operations/ending.ts";
import { LiveSettings } from "./operations/live-settings.ts";
import { afterPredecessor } from "./operations/predecessor.ts";
import { ClientAuthentication } from "./identity/client-authentication.ts";
import { atTime } from "./identity/at-time.ts";
import { LastSeen } from "./identity/last-seen.ts";
import { OwnCompilers } from "./own-compilers.ts";
import { NameProofs } from "./name-proofs.ts";
import { OutputCoding } from "./output-coding.ts";
import { packOutput } from "./packed-output.ts";
import { becomeAccount, handOver, serviceAccount } from "./privileges.ts";
import { Administration } from "./sandboxes/administration.ts";
import { Door } from "./sandboxes/door.ts";
import { Sandboxes, tagOf } from "./sandboxes/sandboxes.ts";
import { SharedFolder } from "./sandboxes/shared-folder.ts";
import { ResultReuse } from "./result-reuse.ts";
import { StoreFence } from "./store-fence.ts";
import { makeStoreFolder, usingStore } from "./store-folder.ts";
import { ToolchainRegistry } from "./toolchain-registry.ts";
import { HomeFiles } from "./toolchains/home-files.ts";
import { RegisteredFolders } from "./toolchains/registered-folders.ts";
import type { ToolchainShipping } from "./toolchains/toolchain-intake.ts";
import { CallPlaces } from "./v1/call-place.ts";
import { V1Sessions } from "./v1/executor-sessions.ts";
import { LocalCompilers } from "./v1/local-compiler.ts";
import { serveV1Client, type V1Services } from "./v1/v1-client.ts";

const serverName = `homccd ${version}`;
const openSockets = new Set<Socket>();
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
/** From the connection to its complete hello. A 1.x client sends at once too. */
const handshakeTimeoutMs = 10_000;
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
  const sessions = new Set<Promise<void>>();
  ending.heedSignals();
  process.on("SIGHUP", () => void reload().catch((error: unknown) => logger.error(describeError(error))));
  // From the first moment on: a client that comes while we start waits for its welcome.
  const take = (socket: Socket): void => {
    const session = serveClient(socket, settings, started.promise).catch((error: unknown) =>
      logger.error(error instanceof Error ? (error.stack ?? error.message) : String(error)),
    );
    sessions.add(session);
    void session.finally(() => sessions.delete(session));
  };
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
    // The store is ours: a homccd that is about to end still starts the program of its own version.
    await installProgram(runner, runnerProgram);
    return opened;
  });
  void removeParts(settings.store);
  const store = new DeduplicatingBlobStore(disk);
  const inspector = new ToolchainInspector({ cacheFile: join(settings.store, "toolchain-file-digests") });
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
  started.resolve({ services, v1, activity, authentication, lastSeen, ...chosen });
  logger.info(authentication.describe(settings.allow.text));
  process.stdout.write(
    `${serverName} listening on ${listening.addresses.join(",")} port ${listening.port}, ${settings.limit} slots, executor ${executor.name}\n`,
  );

  const control = await openControlSocket(settings.store, administer);
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
  for (const socket of openSockets) socket.destroy();
  await Promise.all(sessions);
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

interface Serving extends Omit<ChosenExecutor, "v1Executor"> {
  readonly services: ServerServices;
  readonly v1: V1Services;
  readonly activity: Activity;
  readonly authentication: ClientAuthentication;
  readonly lastSeen: LastSeen;
}

function whyNoLonger(
  { identity, credential }: ClientSession,
  authentication: ClientAuthentication,
): string | undefined {
  return authentication.whyNoLonger(identity, credential);
}

async function serveClient(
  socket: Socket,
  settings: ServerSettings,
  started: Promise<Serving>,
): Promise<void> {
  openSockets.add(socket);
  socket.once("close", () => openSockets.delete(socket));
  const address = addressIdentity(socket.remoteAddress);
  const why = arrivals.whyNoConnection(address);
  if (why !== undefined) {
    logger.debug(`${identityText(address)}: ${why}, and none of them has said hello`);
    socket.destroy();
    return;
  }
  using arrival = arrivals.open(address);
  const { services, v1, activity, executor, announced, unavailable, authentication, lastSeen } =
    await started;
  const { acceptance } = authentication;
  const accepted = await acceptConnection(socket, {
    server: serverName,
    welcome: (_hello, identity) => {
      if (ending.drain !== undefined) return { refuse: shuttingDown.message };
      const whyNot = accounts.whyNoConnection(identity);
      if (whyNot !== undefined) return { refuse: whyNot };
      return {
        server: serverName,
        executors: [...announced],
        slots: live.current.limit,
        unavailable: [...unavailable],
        timeMs: Date.now(),
        ...diskOf(settings.store),
      };
    },
    handshakeTimeoutMs,
    allow: { allows: (address) => live.current.allow.includes(address ?? "") },
    requiresCertificate: settings.requiresCertificate,
    ...(acceptance === undefined ? {} : { tls: acceptance }),
    serveV1: true,
    capabilities: knownCapabilities.filter(
      (name) => name !== "toolchains" || services.shipping !== undefined,
    ),
  });
  arrival[Symbol.dispose]();
  if (accepted.kind === "rejected") {
    activity.turnedAway();
    services.logger.info(accepted.why);
    return;
  }
  if (accepted.kind === "v1") {
    await clients.serveV1(serveV1Client(accepted, v1));
    return;
  }
  services.logger.info(`${accepted.channel.peer}: ${accepted.hello.agent}`);
  const { identity, credential } = accepted;
  if (identity.kind === "paired") void lastSeen.note(identity.name).catch(() => {});
  const session = new ClientSession(accepted, await openSession(executor, accepted.channel), services);
  // It may have been revoked since its certificate was looked at, and expires some day.
  const check = (): void => {
    const why = whyNoLonger(session, authentication);
    if (why !== undefined) void session.turnOut(why);
  };
  using _expiry = atTime(credential?.expiresMs, check);
  const serving = clients.serve(session);
  check();
  await serving;
}

/** A client that cannot be served is told so: it would wait for answers as long as the connection lives. */
async function openSession(executor: Executor, channel: ServerChannel): Promise<ExecutorSession> {
  try {
    return await executor.openSession();
  } catch (error) {
    void channel.close(describeError(error));
    throw error;
  }
}

/** Opens the door into containers while that is allowed, and becomes the account that jobs run as. */
async function enterAccount(settings: ServerSettings, logger: Logger): Promise<Door | undefined> {
  const account = await serviceAccount(settings.user);
  if (account === undefined) await makeStoreFolder(settings.store);
  else await handOver(settings.store, account);
  const own = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  const door = await Door.open(join(import.meta.dirname, "runner"), settings.store, account ?? own);
  if (account === undefined) return door;
  becomeAccount(account, settings.store);
  logger.info(`jobs run as ${account.name}`);
  return door;
}

/** By rename: the program of a homccd that has just been killed may still run. */
async function installProgram(path: string, program: Uint8Array): Promise<void> {
  await writeFile(`${path}.new`, program, { mode: 0o755 });
  await rename(`${path}.new`, path);
}

/** What `homccd drain` and its like ask for. */
async function administer(command: ControlCommand, answer: ControlAnswer): Promise<string> {
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
