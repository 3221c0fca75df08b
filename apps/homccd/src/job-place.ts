import { posix } from "node:path";
import type { Action, ActionResult, InputEntry, Sandbox, Step } from "@homcc/cas/action";
import { isLocaleKnown } from "@homcc/compiler/locales";
import { isSandboxOwn } from "@homcc/compiler/sandbox-folders";
import { isInsideNamespaceRoot, type ServerLimits } from "@homcc/compiler/server-check";
import type { ExecutorSession } from "@homcc/execution/executor";
import { HomccError } from "@homcc/observability/error";
import type { ResultMessage } from "@homcc/protocol/messages";
import type { ServerServices } from "./client-session.ts";
import { serverLimits } from "./command-limits.ts";
import { Refusal } from "./job-refusal.ts";
import type { ResolvedJob } from "./job.ts";
import type { ClientSandboxes } from "./sandboxes/client-sandboxes.ts";
import type { SandboxEnvironment } from "./sandboxes/environment.ts";
import { isSameCompiler } from "./sandboxes/compilers.ts";
import { unavailable } from "./sandboxes/unavailable.ts";
import type { ToolchainMatch } from "./toolchain-registry.ts";
import { bringsLibrary, charsetOptionOf, isBuiltInLocale } from "./toolchains/foreign-library.ts";
import type { ToolchainIntake } from "./toolchains/toolchain-intake.ts";

/** Where a job runs, and what of it is different there. */
export interface JobPlace {
  readonly steps: readonly Step[];
  readonly environment: Readonly<Record<string, string>>;
  readonly inputs: readonly InputEntry[];
  readonly absent: readonly string[];
  readonly limits: ServerLimits;
  /** What is said of a result that an earlier job had here; `undefined` when jobs may not get each other's. */
  readonly keptReport: PlaceReport | undefined;
  /** Disposed when the job has ended: it is the client's own, and may go then. */
  readonly toolchain: Disposable | undefined;
  execute(action: Action, signal: AbortSignal): Promise<PlacedResult>;
}

/** What a job came to, and what is to be said about where it really ran. */
export interface PlacedResult {
  readonly result: ActionResult;
  readonly report: PlaceReport;
}

type PlaceReport = Pick<ResultMessage, "executor" | "localeKnown" | "sandboxToolchain">;

/** The server's own executor, when its toolchain is the client's, or the client's is here. */
export async function ownPlace(
  job: ResolvedJob,
  session: ExecutorSession,
  services: ServerServices,
  intake: ToolchainIntake | undefined,
): Promise<JobPlace> {
  const { toolchain, environment, steps, inputs, absent } = job;
  const shipped = await intake?.use(toolchain);
  const match: ToolchainMatch =
    shipped === undefined
      ? await services.toolchains.match(toolchain, environment["PATH"] ?? "")
      : { kind: "same", toolchain: shipped };
  if (match.kind === "differs") {
    throw new Refusal({
      reason: (await intake?.takesSome()) === true ? "toolchain-missing" : "toolchain-differs",
      message: match.message,
      identities: {
        client: { digest: toolchain.digest, version: toolchain.version },
        server: match.server,
      },
    });
  }
  const isForeign = shipped !== undefined && (await bringsLibrary(shipped.entries));
  const charset = isForeign ? charsetOptionOf(steps) : undefined;
  if (charset !== undefined) {
    shipped?.[Symbol.dispose]();
    const message = `${charset}: character sets are of the C library, which is another one here`;
    throw new Refusal({ reason: "refused", message });
  }
  const report = {
    executor: services.executor,
    localeKnown: isForeign ? isBuiltInLocale(job.locale) : isLocaleKnown(job.locale, services.locales),
  };
  return {
    steps,
    environment,
    inputs,
    absent,
    limits: serverLimits(match.toolchain),
    toolchain: shipped,
    keptReport: report.localeKnown ? report : undefined,
    execute: async (action, signal) => {
      const result = await session.execute(action, signal);
      if (services.executor === "mapped") await expectSameToolchain(job, services);
      return { result, report };
    },
  };
}

/** `mapped` runs this server's own files, which may have been replaced since they were compared. Others run a copy. */
async function expectSameToolchain(job: ResolvedJob, services: ServerServices): Promise<void> {
  const match = await services.toolchains.match(job.toolchain, job.environment["PATH"] ?? "");
  if (match.kind === "same") return;
  throw new HomccError("ERR_HOMCC_TOOLCHAIN", `${job.toolchain.driver} was replaced while the job ran`);
}

/** A sandbox: its compiler of the same name, its PATH, its own files in the system's folders. */
export async function sandboxPlace(
  job: ResolvedJob,
  sandbox: Sandbox,
  sessions: ClientSandboxes,
  services: Pick<ServerServices, "sandboxes">,
): Promise<JobPlace> {
  const place = await enteredPlace(job, sandbox, sessions, services);
  return {
    ...place,
    execute: async (action, signal) => {
      try {
        return await place.execute(action, signal);
      } catch (error) {
        if (signal.aborted || place.environmentOfSandbox.isCurrent()) throw error;
      }
      // It ended under the job: a container that was restarted is entered again, once.
      const again = await enteredPlace(job, sandbox, sessions, services);
      if (!isSameCommand(again, place)) {
        throw unavailable("the sandbox became another one while the job ran: its compiler moved");
      }
      return await again.execute(action, signal);
    },
  };
}

interface EnteredPlace extends JobPlace {
  readonly environmentOfSandbox: SandboxEnvironment;
}

async function enteredPlace(
  job: ResolvedJob,
  sandbox: Sandbox,
  sessions: ClientSandboxes,
  { sandboxes }: Pick<ServerServices, "sandboxes">,
): Promise<EnteredPlace> {
  const { toolchain } = job;
  const name = posix.basename(toolchain.driver);
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
  const report = {
    executor: environment.executor.name,
    // Whatever the sandbox says is right: the same command at home would be another compiler.
    localeKnown: true,
    ...(isSameCompiler(compiler, toolchain)
      ? {}
      : { sandboxToolchain: { version, ...(digest === undefined ? {} : { digest }) } }),
  };
  return {
    environmentOfSandbox: environment,
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
    toolchain: undefined,
    // Its toolchain is not the one that the action names.
    keptReport: undefined,
    execute: async (action, signal) => ({
      result: await sessions.execute(environment, action, signal),
      report,
    }),
  };
}

/** What was checked and laid out for one of them is so for the other. */
function isSameCommand(one: JobPlace, other: JobPlace): boolean {
  const same = (key: "steps" | "environment"): boolean =>
    JSON.stringify(one[key]) === JSON.stringify(other[key]);
  return same("steps") && same("environment");
}
