import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { BlobStore } from "@homcc/cas/blob-store";
import type { ReplaySettings, ServerSettings } from "@homcc/config/settings";
import { confinesFiles, probeExecutors } from "@homcc/execution/available-executors";
import type { Executor } from "@homcc/execution/executor";
import { defaultJobLimits } from "@homcc/execution/job-limits";
import { mapArguments } from "@homcc/execution/mapped-arguments";
import { createMappedExecutor, isInSystemFolder } from "@homcc/execution/mapped-executor";
import { createNamespaceExecutor } from "@homcc/execution/namespace-executor";
import { placesOf } from "@homcc/execution/readable-places";
import { createReplayExecutor } from "@homcc/execution/replay-executor";
import { JobRunner } from "@homcc/execution/runner";
import { findSharedFolders } from "@homcc/execution/shared-folders";
import { ShippedLayers } from "@homcc/execution/shipped-layers";
import { CopiedToolchainLayers } from "@homcc/execution/toolchain-layer";
import { HomccError } from "@homcc/observability/error";
import type { Logger } from "@homcc/observability/log";
import type { ToolchainRegistry } from "./toolchain-registry.ts";
import { manifestBounds } from "./toolchains/toolchain-intake.ts";

export interface ExecutorOptions {
  readonly choice: ServerSettings["executor"];
  readonly replay: ServerSettings["replay"];
  readonly store: BlobStore;
  readonly toolchains: ToolchainRegistry;
  /** The store's folder: what lies in one file system is cheap to share. */
  readonly folder: string;
  /** The job runner's program. */
  readonly runner: string;
  /** Of toolchains that clients send. */
  readonly toolchainCacheBytes: number;
  /** No job starts with less room on the store's disk. */
  readonly startFreeBytes: number;
  readonly logger: Logger;
}

export interface ChosenExecutor {
  readonly executor: Executor;
  /** For homcc 1.x clients, who do not send what lies below /usr/include and /usr/lib: jobs read this server's. */
  readonly v1Executor: Executor;
  /** As clients are told, the best first. One that replays counts as namespaces: jobs name the client's paths. */
  readonly announced: readonly string[];
  /** Nothing keeps jobs from the files and the memory that homccd's account may read. */
  readonly jobsSeeAccount: boolean;
  /** Of toolchains that clients sent; absent where they cannot be run. */
  readonly shipped: ShippedLayers | undefined;
  /** Those that are better or as good and not used, and why: clients are told. */
  readonly unavailable: readonly { readonly executor: string; readonly reason: string }[];
}

/** The best executor that works here and that the administrator allows; the log says what does not work and why. */
export async function chooseExecutor(options: ExecutorOptions): Promise<ChosenExecutor> {
  const { choice, replay, logger } = options;
  if (replay !== undefined) return await replaying(replay, logger);
  const shares = await findSharedFolders();
  const probes = await probeExecutors({
    runnerProgram: options.runner,
    folder: join(options.folder, "probes"),
    shares,
  });
  for (const probe of probes) {
    if (probe.works) logger.info(`executor ${probe.name}: works here`);
    else logger.warning(`executor ${probe.name} cannot be used: ${probe.reason}`);
  }
  const usable = probes.find(({ name, works }) => works && (choice === "auto" || choice === name));
  if (usable === undefined) {
    throw new HomccError("ERR_HOMCC_CONFIGURATION", `executor ${choice} does not work on this machine`, {
      hint: "the lines above say why",
    });
  }
  const executors = usable.name === "namespace" ? await namespaces(options, shares) : await mapped(options);
  const unavailable = probes
    .filter((probe) => !probe.works || (choice !== "auto" && probe.name !== choice))
    .map((probe) => ({
      executor: probe.name,
      // The log has all of it; a welcome is one short message.
      reason: probe.works ? `option executor is ${choice}` : probe.reason.slice(0, maxReasonLength),
    }));
  return { ...executors, announced: [usable.name], unavailable };
}

async function replaying(replay: ReplaySettings, logger: Logger): Promise<ChosenExecutor> {
  const executor = await createReplayExecutor(replay);
  logger.warning(`executor replay: nothing is compiled, results come from ${replay.folder}`);
  const announced = [executor.name, "namespace"];
  return {
    executor,
    v1Executor: executor,
    announced,
    shipped: undefined,
    jobsSeeAccount: false,
    unavailable: [],
  };
}

const maxReasonLength = 1000;

type Executors = Pick<ChosenExecutor, "executor" | "v1Executor" | "shipped" | "jobsSeeAccount">;

async function namespaces(options: ExecutorOptions, shares: readonly string[]): Promise<Executors> {
  const toolchainsFolder = join(options.folder, "toolchains");
  const own = new CopiedToolchainLayers(toolchainsFolder, (digest) => options.toolchains.byDigest(digest));
  const shipped = await ShippedLayers.open({
    folder: toolchainsFolder,
    manifests: join(options.folder, "toolchain-manifests"),
    maxBytes: options.toolchainCacheBytes,
    minFreeBytes: options.startFreeBytes,
    blobs: options.store,
    bounds: manifestBounds,
    logger: options.logger,
  });
  const parts = {
    runnerProgram: options.runner,
    toolchainsFolder,
    toolchains: own,
    blobs: options.store,
    limits: { ...defaultJobLimits, startFreeBytes: options.startFreeBytes },
  };
  return {
    shipped,
    jobsSeeAccount: false,
    executor: await createNamespaceExecutor({
      ...parts,
      toolchains: {
        layerFor: (digest) => (shipped.has(digest) ? shipped : own).layerFor(digest),
        hold: (digest) => shipped.hold(digest),
      },
      folder: join(options.folder, "sessions"),
      shares,
      baseLayer: "base",
    }),
    v1Executor: await createNamespaceExecutor({
      ...parts,
      folder: join(options.folder, "v1-sessions"),
      shares: await withSystemFolders(shares),
      baseLayer: "base-v1",
    }),
  };
}

const systemFolders = ["/usr/include", "/usr/local/include", "/usr/lib"];

async function withSystemFolders(shares: readonly string[]): Promise<string[]> {
  const present = await Promise.all(systemFolders.map((path) => stat(path).catch(() => undefined)));
  const folders = systemFolders.filter((_, index) => present[index]?.isDirectory() === true);
  return [...folders, ...shares.filter((share) => !folders.some((folder) => share.startsWith(`${folder}/`)))];
}

/** Without Landlock a mapped job reads what homccd's account may read: an administrator has to know. */
async function hasWalls({ runner, logger }: ExecutorOptions): Promise<boolean> {
  if (await confinesFiles(runner)) return true;
  logger.warning(
    "this kernel has no Landlock: jobs of the mapped executor can read whatever homccd's account can; serve only clients that may",
  );
  return false;
}

async function mapped(options: ExecutorOptions): Promise<Executors> {
  const jobsSeeAccount = !(await hasWalls(options));
  const executor = await createMappedExecutor({
    name: "mapped",
    openRunner: () => new JobRunner(options.runner, ["plain"]),
    folder: join(options.folder, "mapped"),
    blobs: options.store,
    mapArguments,
    isSystem: isInSystemFolder,
    readable: ({ toolchain }) => placesOf(options.toolchains.byDigest(toolchain)),
    comparesSystemFiles: true,
    limits: { ...defaultJobLimits, startFreeBytes: options.startFreeBytes },
  });
  return { executor, v1Executor: executor, shipped: undefined, jobsSeeAccount };
}
