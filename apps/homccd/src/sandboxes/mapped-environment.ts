import { mkdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { BlobStore } from "@homcc/cas/blob-store";
import { isSandboxOwn } from "@homcc/compiler/sandbox-folders";
import { confinesFiles, probePlainRunner } from "@homcc/execution/available-executors";
import { defaultJobLimits, type JobLimits } from "@homcc/execution/job-limits";
import { mapArguments } from "@homcc/execution/mapped-arguments";
import { createMappedExecutor } from "@homcc/execution/mapped-executor";
import { placesInSandbox } from "@homcc/execution/readable-places";
import { removeTree } from "@homcc/execution/remove-tree";
import { JobRunner } from "@homcc/execution/runner";
import type { Logger } from "@homcc/observability/log";
import { SandboxCompilers } from "./compilers.ts";
import type { SandboxEnvironment } from "./environment.ts";
import type { SharedFolder } from "./shared-folder.ts";
import { TrackedExecutor } from "./tracked-executor.ts";

export interface MappedEnvironmentOptions {
  readonly kind: "schroot" | "docker";
  /** For messages. */
  readonly place: string;
  readonly path: string;
  /** Starts a program inside for as long as its stdin is open; the program's path and arguments follow. */
  readonly command: { readonly program: string; readonly args: readonly string[] };
  /** The folder of this machine that is its root, where homccd can read that. */
  readonly root: string | undefined;
  readonly variables: Readonly<Record<string, string>>;
  readonly shared: SharedFolder;
  readonly blobs: BlobStore;
  /** In the store. */
  readonly folder: string;
  /** No job starts with less room on the store's disk. */
  readonly startFreeBytes: number;
  readonly isCurrent: () => boolean;
  readonly close: () => Promise<void>;
  readonly logger: Logger;
}

let nextFolder = 1;

/**
 * Jobs through one long-lived job runner inside a sandbox that homccd can only start programs in. A job costs there what it
 * costs in a runner outside: 13 to 14 ms each at best on a busy machine with 2 cores, where `docker exec` alone took
 * 220 ms, `schroot --run-session` 50 ms and `schroot -c`, which sets up a session, 3 s.
 */
export async function enterMapped(options: MappedEnvironmentOptions): Promise<SandboxEnvironment> {
  const { shared, command, kind } = options;
  await shared.ready();
  const folder = join(shared.path, String(nextFolder++));
  const runner = new JobRunner(
    command.program,
    [...command.args, shared.runner, "inside"],
    options.variables,
  );
  try {
    await mkdir(folder, { mode: 0o700 });
    await probePlainRunner(runner, join(folder, "probe"), shared.runner);
    await warnWithoutWalls(options);
    const readable = placesInSandbox(options.path);
    const common = {
      name: `${kind}-mapped`,
      openRunner: () => ({ run: runner.run.bind(runner), close: async () => {} }),
      blobs: options.blobs,
      isSystem: isSandboxOwn,
      readable: () => readable,
      comparesSystemFiles: false,
      limits: await limitsIn(shared.path, options),
    };
    const jobs = await createMappedExecutor({ ...common, folder: join(folder, "jobs"), mapArguments });
    const isCurrent = (): boolean => !runner.hasDied && options.isCurrent();
    const executor = new TrackedExecutor(jobs, isCurrent);
    const questions = await createMappedExecutor({
      ...common,
      folder: join(folder, "questions"),
      mapArguments: (argv) => ({ argv, textOutputs: [] }),
    });
    const session = await questions.openSession();
    return {
      executor,
      isMapped: true,
      compilers: new SandboxCompilers({
        // It has no floor itself: what the sandbox's root is on this machine is known here.
        session: { execute: session.execute.bind(session), floor: async () => options.root },
        place: options.place,
        path: options.path,
      }),
      isCurrent,
      close: async () => {
        await Promise.all([executor.closeSessions(), session.close()]);
        await runner.close();
        await options.close();
        await removeTree(folder);
      },
    };
  } catch (error) {
    await runner.close();
    await removeTree(folder);
    throw error;
  }
}

/** Asked inside, where the kernel may have it and the engine's own filter none of it. An administrator has to know. */
async function warnWithoutWalls({
  place,
  command,
  shared,
  variables,
  logger,
}: MappedEnvironmentOptions): Promise<void> {
  if (await confinesFiles(command.program, [...command.args, shared.runner], variables)) return;
  logger.warning(
    `${place} has no Landlock: jobs in it can read whatever homccd's account can there; serve only clients that may`,
  );
}

/** The shared folder may be a small one of its own: what the administrator wants free is room on the store's disk. */
async function limitsIn(
  place: string,
  { folder, startFreeBytes }: Pick<MappedEnvironmentOptions, "folder" | "startFreeBytes">,
): Promise<JobLimits> {
  const [there, store] = await Promise.all([stat(place), stat(dirname(folder))]);
  return there.dev === store.dev ? { ...defaultJobLimits, startFreeBytes } : defaultJobLimits;
}
