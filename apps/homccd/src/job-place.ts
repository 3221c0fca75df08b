import { posix } from "node:path";
import type { Action, ActionResult, InputEntry, Sandbox, Step } from "@homcc/cas/action";
import { isLocaleKnown } from "@homcc/compiler/locales";
import { isSandboxOwn } from "@homcc/compiler/sandbox-folders";
import { isInsideNamespaceRoot, type ServerLimits } from "@homcc/compiler/server-check";
import type { ExecutorSession } from "@homcc/execution/executor";
import type { ResultMessage } from "@homcc/protocol/messages";
import type { ServerServices } from "./client-session.ts";
import { serverLimits } from "./command-limits.ts";
import { Refusal } from "./job-refusal.ts";
import type { ResolvedJob } from "./job.ts";
import type { ClientSandboxes } from "./sandboxes/client-sandboxes.ts";
import { isSameCompiler } from "./sandboxes/compilers.ts";
import { unavailable } from "./sandboxes/unavailable.ts";
import { driverNames } from "./toolchain-registry.ts";

/** Where a job runs, and what of it is different there. */
export interface JobPlace {
  readonly steps: readonly Step[];
  readonly environment: Readonly<Record<string, string>>;
  readonly inputs: readonly InputEntry[];
  readonly absent: readonly string[];
  readonly limits: ServerLimits;
  /** Names the way to run it, for jobs that may get each other's results; without one they may not. */
  readonly sharesResults: string | undefined;
  /** What the result says about the place. */
  readonly report: Pick<ResultMessage, "executor" | "localeKnown" | "sandboxToolchain">;
  execute(action: Action, signal: AbortSignal): Promise<ActionResult>;
}

/** The server's own executor, when its toolchain is the client's. */
export async function ownPlace(
  job: ResolvedJob,
  session: ExecutorSession,
  services: ServerServices,
): Promise<JobPlace> {
  const { toolchain, environment, steps, inputs, absent } = job;
  const match = await services.toolchains.match(toolchain, environment["PATH"] ?? "");
  if (match.kind === "differs") {
    throw new Refusal({
      reason: "toolchain-differs",
      message: match.message,
      identities: {
        client: { digest: toolchain.digest, version: toolchain.version },
        server: match.server,
      },
    });
  }
  return {
    steps,
    environment,
    inputs,
    absent,
    limits: serverLimits(match.toolchain),
    sharesResults: services.executor,
    report: {
      executor: services.executor,
      localeKnown: isLocaleKnown(job.locale, services.locales),
    },
    execute: (action, signal) => session.execute(action, signal),
  };
}

/** A sandbox: its compiler of the same name, its PATH, its own files in the system's folders. */
export async function sandboxPlace(
  job: ResolvedJob,
  sandbox: Sandbox,
  sessions: ClientSandboxes,
  { sandboxes }: ServerServices,
): Promise<JobPlace> {
  const { toolchain } = job;
  const name = posix.basename(toolchain.driver);
  if (!driverNames.test(name)) throw unavailable(`${name} is not called like a compiler`);
  const environment = await sandboxes.enter(sandbox);
  if (environment.isMapped && job.mappedVeto !== undefined) {
    throw new Refusal({ reason: "mapped-unsupported", message: job.mappedVeto });
  }
  const { compilers } = environment;
  const compiler = await compilers.compiler(name);
  if (compiler.family !== toolchain.family) {
    throw unavailable(`${compiler.driver} is ${compiler.family} there and ${toolchain.family} at home`);
  }
  const { version, digest } = compiler;
  // Nor does the client bring programs: what its folders in PATH hold at home stays there.
  const programFolders = new Set([...compilers.path.split(":"), posix.dirname(compiler.driver)]);
  const travels = ({ path }: { readonly path: string }): boolean =>
    !isSandboxOwn(path) && !programFolders.has(posix.dirname(path));
  return {
    steps: job.steps.map(({ program, argv }) => ({
      program: program === toolchain.driver ? compiler.driver : program,
      argv,
    })),
    environment: { ...job.environment, PATH: compilers.path },
    inputs: job.inputs.filter(travels),
    absent: job.absent.filter((path) => travels({ path })),
    limits: {
      isToolchainProgram: (path) => path === compiler.driver,
      isInsideRoot: (path) => path === "/dev/null" || isInsideNamespaceRoot(path),
    },
    // Its toolchain is not the one that the action names.
    sharesResults: undefined,
    report: {
      executor: environment.executor.name,
      // Whatever the sandbox says is right: the same command at home would be another compiler.
      localeKnown: true,
      ...(isSameCompiler(compiler, toolchain)
        ? {}
        : { sandboxToolchain: { version, ...(digest === undefined ? {} : { digest }) } }),
    },
    execute: async (action, signal) => {
      try {
        return await sessions.execute(environment, action, signal);
      } catch (error) {
        if (signal.aborted || environment.isCurrent()) throw error;
        // It ended under the job: a container that was restarted is entered again, once.
        return await sessions.execute(await sandboxes.enter(sandbox), action, signal);
      }
    },
  };
}
