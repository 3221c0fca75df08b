import { join } from "node:path";
import type { BlobStore } from "@homcc/cas/blob-store";
import type { ServerSettings } from "@homcc/config/settings";
import { probeExecutors } from "@homcc/execution/available-executors";
import type { Executor } from "@homcc/execution/executor";
import { defaultJobLimits } from "@homcc/execution/job-limits";
import { mapArguments } from "@homcc/execution/mapped-arguments";
import { createMappedExecutor, defaultSystemFolders } from "@homcc/execution/mapped-executor";
import { createNamespaceExecutor } from "@homcc/execution/namespace-executor";
import { findSharedFolders } from "@homcc/execution/shared-folders";
import { CopiedToolchainLayers } from "@homcc/execution/toolchain-layer";
import { HomccError } from "@homcc/observability/error";
import type { Logger } from "@homcc/observability/log";
import type { ToolchainRegistry } from "./toolchain-registry.ts";

export interface ExecutorOptions {
  readonly choice: ServerSettings["executor"];
  readonly store: BlobStore;
  readonly toolchains: ToolchainRegistry;
  /** The store's folder: what lies in one file system is cheap to share. */
  readonly folder: string;
  /** The job runner's program. */
  readonly runner: string;
  readonly logger: Logger;
}

/** The best executor that works here and that the administrator allows; the log says what does not work and why. */
export async function chooseExecutor(options: ExecutorOptions): Promise<Executor> {
  const { choice, logger } = options;
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
  return usable.name === "namespace" ? await namespace(options, shares) : await mapped(options);
}

async function namespace(options: ExecutorOptions, shares: readonly string[]): Promise<Executor> {
  const toolchainsFolder = join(options.folder, "toolchains");
  return await createNamespaceExecutor({
    runnerProgram: options.runner,
    folder: join(options.folder, "sessions"),
    toolchainsFolder,
    toolchains: new CopiedToolchainLayers(toolchainsFolder, (digest) => options.toolchains.byDigest(digest)),
    blobs: options.store,
    shares,
    limits: defaultJobLimits,
  });
}

async function mapped(options: ExecutorOptions): Promise<Executor> {
  return await createMappedExecutor({
    runnerProgram: options.runner,
    folder: join(options.folder, "mapped"),
    blobs: options.store,
    mapArguments,
    systemFolders: defaultSystemFolders,
    limits: defaultJobLimits,
  });
}
