import { createHash } from "node:crypto";
import { basename, extname, join, resolve } from "node:path";
import type { Action, InputEntry } from "@homcc/cas/action";
import type { Digest } from "@homcc/cas/digest";
import { analyse } from "@homcc/compiler/analyse";
import type { Compilation } from "@homcc/compiler/compilation";
import { checkAction } from "@homcc/compiler/server-check";
import type { V1ArgumentMessage } from "@homcc/protocol/v1/messages";
import type { StandIn } from "./local-compiler.ts";
import { isSystemFile, namedFiles } from "./named-files.ts";

/** One source of the command; `action` lacks the inputs, which are known when all files have come. */
export interface PlannedCompilation {
  readonly action: Omit<Action, "inputs" | "absent">;
  /** Folders that the command names, and links to the compiler. */
  readonly places: readonly InputEntry[];
  /** Where the client expects the object. */
  readonly mainOutput: string;
}

export type CallPlan =
  | {
      readonly kind: "ready";
      readonly compilations: readonly PlannedCompilation[];
      /** Files the client named by SHA-1 and would send. */
      readonly files: ReadonlyMap<string, string>;
      /** The client links what it gets: objects, and nothing else. */
      readonly links: boolean;
    }
  /** The command belongs to the client's own machine. */
  | { readonly kind: "unsuitable"; readonly why: string };

export interface PlanOptions {
  readonly timeoutMs: number;
  /** PATH of jobs. */
  readonly path: string;
  /** The executor gives jobs the client's paths; else what cannot be mapped is unsuitable. */
  readonly hasClientPaths: boolean;
}

/** What a 1.x client's message comes to on this server. It sends no environment: messages are in English, in UTF-8. */
export async function planCall(
  message: V1ArgumentMessage,
  compiler: StandIn,
  options: PlanOptions,
): Promise<CallPlan> {
  const { cwd, args, dependencies } = message;
  const paths = Object.keys(dependencies);
  const strange = [cwd, ...paths].find((path) => path !== resolve(path) || !path.isWellFormed());
  if (strange !== undefined) return unsuitable(`the path ${JSON.stringify(strange)}`);
  const environment = { PATH: options.path, LANG: "C.UTF-8" };
  const [name = "", ...words] = args;
  if (words.some((word) => !word.isWellFormed())) return unsuitable("an argument that is not UTF-8");
  const argv = [compiler.calledAs ?? name, ...compiler.addedArguments, ...words];
  const analysis = await analyse(
    { argv, cwd, environment, family: compiler.family },
    {
      temporaryObject: (source) => join(cwd, `${basename(source, extname(source))}.o`),
      probe: namedFiles(paths),
    },
  );
  if (analysis.verdict === "local") return unsuitable(analysis.detail);
  const compilations: PlannedCompilation[] = [];
  for (const compilation of analysis.compilations) {
    const veto = options.hasClientPaths ? undefined : compilation.mappedVeto;
    if (veto !== undefined) return unsuitable(veto);
    const planned = plan(compilation, cwd, environment, compiler, options);
    if (planned === undefined) return unsuitable(`${compilation.source} gives no file`);
    const objection = checkAction(planned.action, compiler.family, compiler.limits);
    if (objection !== undefined) return unsuitable(objection);
    compilations.push(planned);
  }
  const files = Object.entries(dependencies).filter(([path]) => !isSystemFile(path));
  return { kind: "ready", compilations, files: new Map(files), links: analysis.link !== undefined };
}

function unsuitable(why: string): CallPlan {
  return { kind: "unsuitable", why };
}

function plan(
  { argv, outputs, mainOutput, replay, includeDirectories }: Compilation,
  cwd: string,
  environment: Readonly<Record<string, string>>,
  { toolchain, links, addedArguments }: StandIn,
  { timeoutMs }: PlanOptions,
): PlannedCompilation | undefined {
  // What depends on a machine means the client's, except its target: that one was named.
  if (
    mainOutput === undefined ||
    (replay && addedArguments.length === 0) ||
    argv.some((word) => word.endsWith("=native"))
  )
    return undefined;
  const folders = includeDirectories
    .map(({ path }) => resolve(cwd, path))
    .filter((path) => !isSystemFile(`${path}/`))
    .map((path): InputEntry => ({ kind: "directory", path }));
  return {
    action: {
      toolchain: toolchain.digest,
      steps: [{ program: toolchain.driver, argv }],
      cwd,
      environment,
      umask: 0o022,
      terminal: {},
      outputs: outputs.map((output) => ({ path: resolve(cwd, output), exists: false })),
      timeoutMs,
    },
    places: [...links, ...folders],
    mainOutput: resolve(cwd, mainOutput),
  };
}

/** The files of a job with the places that have to be there too. */
export function inputsOf(files: ReadonlyMap<string, Digest>, places: readonly InputEntry[]): InputEntry[] {
  const entries = new Map(places.map((entry) => [entry.path, entry]));
  for (const [path, digest] of files)
    entries.set(path, { kind: "file", path, digest, mtimeNs: mtimeOf(path) });
  return [...entries.values()];
}

/**
 * 1.x sends no modification times, and gcc takes files of one time and content for one file under `#pragma once`: each
 * path gets a time of its own, always the same one.
 */
function mtimeOf(path: string): bigint {
  const seconds = createHash("sha1").update(path).digest().readUInt32BE() % 1_000_000_000;
  return BigInt(seconds) * 1_000_000_000n;
}
