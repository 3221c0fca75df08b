import { join } from "node:path";
import { defaultJobLimits } from "@homcc/execution/job-limits";
import { createSandboxExecutor } from "@homcc/execution/sandbox-executor";
import { removeTree } from "@homcc/execution/remove-tree";
import { SandboxCompilers } from "./compilers.ts";
import type { EntryOptions } from "./entry-options.ts";
import type { SandboxEnvironment } from "./environment.ts";
import { TrackedExecutor } from "./tracked-executor.ts";

export interface RootEnvironmentOptions extends EntryOptions {
  readonly kind: "schroot" | "docker";
  /** For messages. */
  readonly place: string;
  readonly path: string;
  /** The root itself, or a process that sees it as its own: that one needs the door. */
  readonly root: string | { readonly pid: number };
  readonly isCurrent: () => boolean;
}

let nextFolder = 1;

/** Jobs in namespaces over the sandbox's root: nothing runs in the sandbox itself, and nothing needs to be shared with it. */
export async function enterRoot(options: RootEnvironmentOptions): Promise<SandboxEnvironment> {
  const { kind, root, door } = options;
  const folder = join(options.folder, `${kind}-${nextFolder++}`);
  const through =
    typeof root === "string" || door === undefined
      ? {}
      : { runnerArguments: (session: string) => door.argumentsFor(root.pid, session) };
  const inner = await createSandboxExecutor({
    name: kind,
    runnerProgram: options.runnerProgram,
    ...through,
    folder,
    root: typeof root === "string" ? root : undefined,
    blobs: options.blobs,
    limits: { ...defaultJobLimits, startFreeBytes: options.startFreeBytes },
  });
  const executor = new TrackedExecutor(inner, options.isCurrent);
  const session = await executor.openSession();
  const compilers = new SandboxCompilers({ session, place: options.place, path: options.path });
  try {
    await compilers.probe();
  } catch (error) {
    await session.close();
    throw error;
  }
  return {
    executor,
    isMapped: false,
    compilers,
    isCurrent: options.isCurrent,
    close: async () => {
      await executor.closeSessions();
      await removeTree(folder);
    },
  };
}
