import type { Action, DeclaredOutput, InputEntry, Step, Terminal } from "@homcc/cas/action";
import { errnoOf } from "@homcc/cas/errno";
import type { Compilation } from "@homcc/compiler/compilation";
import { replayDriver } from "@homcc/compiler/driver-replay";
import { replayVeto } from "@homcc/compiler/execution-traits";
import { jobEnvironment } from "@homcc/compiler/environment";
import { LinkWalk } from "@homcc/compiler/link-walk";
import { withInstalledLocales } from "@homcc/compiler/locales";
import { isInsideNamespaceRoot } from "@homcc/compiler/server-check";
import { v1Command } from "@homcc/compiler/v1-command";
import { wrapperOutput } from "@homcc/compiler/wrapper-outputs";
import type { ClientSettings } from "@homcc/config/settings";
import type { Toolchain } from "@homcc/compiler/toolchain";
import type { ScanTrust } from "@homcc/inputs/scan-trust";
import type { LaunchCall } from "@homcc/launch/call";
import { describeError, hasCode } from "@homcc/observability/error";
import type { OutcomeName } from "@homcc/observability/outcomes";
import { accessSync, constants, lstatSync, realpathSync, type Stats } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import type { KnownCompiler } from "../compile.ts";
import type { Phases } from "../records/phases.ts";
import type { JobDescription } from "./session.ts";
import type { Services } from "../services.ts";

export type Preparation =
  | {
      readonly kind: "ready";
      readonly action: Action;
      readonly job: JobDescription;
      readonly toolchain: Toolchain;
      /** Set when the inputs are a guess: a result counts only once this says so. */
      readonly confirm?: () => Promise<boolean>;
      /** Set when the inputs were scanned: whoever notices that one is missing in `found` has it lose `trust`. */
      readonly scan?: { readonly trust: ScanTrust; readonly found: readonly InputEntry[] };
    }
  | { readonly kind: "local"; readonly outcome: OutcomeName; readonly detail: string }
  /** Its inputs could not be recalled. */
  | { readonly kind: "unknown"; readonly outcome: "inputs-unknown"; readonly detail: string };

/**
 * Makes an action of a compilation: what the compiler is, what it reads, what it may write, how it is called.
 * `way`: how its inputs are found. `foresee` may guess, after an edit, that they are those of last time, until the compiler
 * has confirmed it; `recall` asks no compiler.
 */
export async function prepareAction(
  compilation: Compilation,
  call: LaunchCall,
  settings: ClientSettings,
  services: Services,
  compiler: KnownCompiler,
  way: "recall" | "foresee" | "discover",
  phases: Phases,
): Promise<Preparation> {
  const { request, signal } = call;
  const { cwd } = request;
  const forwarded = jobEnvironment(request.environment);
  if (forwarded.kind === "local")
    return { kind: "local", outcome: "local-environment", detail: forwarded.variable };
  const environment = withInstalledLocales(forwarded.environment, services.locales);
  // By its real path: `cc`, `c++-12` and a link in somebody's bin folder are one toolchain, on every machine.
  const inspecting = services.toolchains.inspect(realpathSync.native(compiler.driver), {
    family: compiler.family,
    path: request.environment["PATH"] ?? "",
    ...libraryPathOf(request),
  });
  const inspected = await phases.time("toolchain", inspecting.catch(uncomparable));
  if ("kind" in inspected) return inspected;
  const toolchain = inspected;
  const sandbox = settings.sandbox.kind === "none" ? undefined : settings.sandbox;
  if (sandbox !== undefined && (compilation.replay || compiler.wrapper)) {
    const detail = "what the driver or wrapper makes of it here means nothing to the sandbox's compiler";
    return { kind: "local", outcome: "sandbox-unavailable", detail };
  }
  // The sandbox looks for a compiler of the name that was called.
  const driver = sandbox === undefined ? toolchain.driver : request.compilerPath;
  const steps = await stepsOf(compilation, call, compiler, driver);
  if (steps === undefined) {
    return {
      kind: "local",
      outcome: "local-option",
      detail: "what the driver or wrapper makes of it cannot be run elsewhere",
    };
  }
  const closed = closedFolder(compilation, cwd);
  if (closed !== undefined) return { kind: "local", outcome: "unreadable-input", detail: closed };
  const discovering = services.discovery[way](compilation, {
    cwd,
    environment: request.environment,
    compilerPath: request.compilerPath,
    family: compiler.family,
    toolchain: toolchain.digest,
    signal,
  });
  const discovery = await phases.time("discover and digest", discovering);
  if (discovery === undefined) return { kind: "unknown", outcome: "inputs-unknown", detail: "not known yet" };
  if (discovery.kind === "local") return discovery;
  const walk = new LinkWalk();
  const outputs = compilation.outputs.map((output) => declare(output, cwd, walk));
  const places = placesOf(outputs, cwd, environment["PWD"], request.compilerPath, walk);
  const { inputs, absent, perMachine } = services.inputSets.of(discovery, places, sandbox !== undefined);
  const machine = perMachine ?? outputs.find(({ path }) => !isInsideNamespaceRoot(path))?.path;
  if (machine !== undefined) {
    const detail = `${machine}: every machine has files of its own there`;
    return { kind: "local", outcome: "unreadable-input", detail };
  }
  return {
    kind: "ready",
    action: {
      toolchain: toolchain.digest,
      steps,
      cwd,
      environment,
      umask: request.umask,
      terminal: terminalOf(call),
      inputs,
      absent,
      outputs,
      timeoutMs: settings.compilationRequestTimeoutMs,
      sandbox,
    },
    toolchain,
    ...(discovery.confirm === undefined ? {} : { confirm: discovery.confirm }),
    ...(discovery.trust === undefined ? {} : { scan: { trust: discovery.trust, found: discovery.entries } }),
    job: {
      toolchain: {
        digest: toolchain.digest,
        driver,
        family: toolchain.family,
        version: toolchain.version,
      },
      offered: toolchain,
      locale: messageLocale(environment),
      label: compilation.source,
      forV1: () => v1Command(compilation, { cwd, family: compiler.family }),
      mappedVeto: compilation.mappedVeto ?? (compiler.wrapper ? replayVeto : undefined),
    },
  };
}

function uncomparable(error: unknown): Extract<Preparation, { kind: "local" }> {
  if (!hasCode(error, "ERR_HOMCC_TOOLCHAIN")) throw error;
  return { kind: "local", outcome: "toolchain-unknown", detail: describeError(error) };
}

/** LD_LIBRARY_PATH; what is relative in it, or empty, is below the working folder. */
function libraryPathOf({ environment, cwd }: LaunchCall["request"]): { readonly libraryPath?: string } {
  const list = environment["LD_LIBRARY_PATH"] ?? "";
  if (list === "") return {};
  const folders = list
    .split(/[:;]/)
    .map((folder) => (folder.startsWith("$") ? folder : resolve(cwd, folder)));
  return { libraryPath: folders.join(":") };
}

async function stepsOf(
  compilation: Compilation,
  call: LaunchCall,
  compiler: KnownCompiler,
  driver: string,
): Promise<readonly Step[] | undefined> {
  const { cwd, environment, compilerPath } = call.request;
  if (!compilation.replay && !compiler.wrapper) return [{ program: driver, argv: compilation.argv }];
  const steps = await replayDriver({
    compilerPath,
    family: compiler.family,
    argv: compilation.argv,
    cwd,
    environment,
    terminal: terminalOf(call),
    signal: call.signal,
  });
  if (steps === undefined || !compiler.wrapper) return steps;
  const own = wrapperOutput(steps[0]?.argv ?? [], compilation, { family: compiler.family, cwd });
  return own === undefined ? steps : undefined;
}

/** An include folder that exists and must not be searched: compilers end with an error there, which no server can show. */
function closedFolder(compilation: Compilation, cwd: string): string | undefined {
  return compilation.includeDirectories.find(({ path }) => {
    try {
      // Synchronous, because it takes 3 µs. With the dot, a plain file is no closed folder.
      accessSync(`${resolve(cwd, path)}/.`, constants.X_OK);
      return false;
    } catch (error) {
      return errnoOf(error) === "EACCES";
    }
  })?.path;
}

/** Folders and links that must exist although no input lies in them: of the outputs, of $PWD, of the compiler's name. */
function placesOf(
  outputs: readonly DeclaredOutput[],
  cwd: string,
  logicalCwd: string | undefined,
  compilerPath: string,
  walk: LinkWalk,
): InputEntry[] {
  walk.resolve(cwd);
  // gcc takes $PWD as its working folder when both are the same folder.
  if (logicalCwd?.startsWith("/") === true) walk.resolve(logicalCwd);
  // The driver is run by its real path, but gcc also looks up its own name in PATH.
  walk.resolve(compilerPath);
  const folders = [cwd, ...walk.crossed, ...outputs.map(({ path }) => dirname(path))];
  return [
    ...folders.map((path): InputEntry => ({ kind: "directory", path })),
    ...[...walk.links].map(([path, target]): InputEntry => ({ kind: "symlink", path, target })),
  ];
}

/** The analysis made sure that the folder of each output exists. */
function declare(output: string, cwd: string, walk: LinkWalk): DeclaredOutput {
  const folder = walk.resolveIn(cwd, dirname(output));
  const path = join(folder.path, basename(output));
  const status = statusOf(path);
  if (status === undefined) return { path, exists: false };
  const writable = allows(path, constants.W_OK);
  // The job runs as its file's owner: it may write exactly what the caller may write, who may be root.
  const mode = writable ? (status.mode & 0o777) | 0o200 : status.mode & 0o577;
  return { path, exists: true, mode };
}

function statusOf(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

function allows(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}

function terminalOf(call: LaunchCall): Terminal {
  const [stdin, stdout, stderr] = call.request.terminals;
  return {
    ...(stdin === undefined ? {} : { stdin }),
    ...(stdout === undefined ? {} : { stdout }),
    ...(stderr === undefined ? {} : { stderr }),
  };
}

/** The locale of messages as setlocale(3) finds it; `undefined` for the built-in one. */
function messageLocale(environment: Readonly<Record<string, string>>): string | undefined {
  const locale = [environment["LC_ALL"], environment["LC_MESSAGES"], environment["LANG"]].find(
    (name) => name !== undefined && name !== "",
  );
  return locale === undefined || locale === "C" || locale === "POSIX" ? undefined : locale;
}
