import type { Analysis, Compilation, CommandLine } from "./compilation.ts";
import { commandShape, type CommandInput, type CommandShape } from "./command-shape.ts";
import { compileCommand, linkStep } from "./command-split.ts";
import { configureCheck } from "./configure-check.ts";
import { discoveryArguments } from "./discovery-arguments.ts";
import { jobEnvironment } from "./environment.ts";
import { type FileProbe, systemFileProbe } from "./file-probe.ts";
import {
  environmentDirectories,
  inputOptions,
  type InputOptions,
  precompiledCandidates,
} from "./input-options.ts";
import { type LocalReason, localReason } from "./local-reason.ts";
import { mappedVeto, needsReplay } from "./execution-traits.ts";
import { textOf } from "./option-reader.ts";
import { absolute, specialOutput } from "./output-check.ts";
import { outputFiles } from "./output-files.ts";
import { expandResponseFiles } from "./response-file.ts";

export interface AnalyseOptions {
  /** A new absolute path for the object of a source of a command that also links; its folder exists. */
  readonly temporaryObject: (source: string, index: number) => string;
  readonly probe?: FileProbe;
}

type Verdict = LocalReason | Extract<Analysis, { verdict: "distribute" }>;
type KnownInputs = Extract<InputOptions, { kind: "known" }>;

/** Decides whether a compile command can be distributed, and what travels with it. */
export async function analyse(command: CommandLine, options: AnalyseOptions): Promise<Analysis> {
  const probe = options.probe ?? systemFileProbe;
  const { family, cwd } = command;
  const expansion = await expandResponseFiles(command.argv.slice(1), family, (path) =>
    probe.readText(absolute(path, cwd)),
  );
  if (expansion.kind === "excessive") {
    return local({ outcome: "local-option", detail: `${expansion.file}: too many options` }, false);
  }
  const shape = commandShape([...command.argv.slice(0, 1), ...expansion.argv], family);
  const check = configureCheck(
    shape.inputs.map(({ path }) => path),
    cwd,
  );
  const verdict = await judge(command, shape, check, options.temporaryObject, probe);
  // A command without inputs (`--version`, `-print-search-dirs`) is a question, and a script may read all of the answer.
  return "verdict" in verdict ? verdict : local(verdict, check !== undefined || shape.inputs.length === 0);
}

function local(reason: LocalReason, silent: boolean): Analysis {
  return { verdict: "local", ...reason, silent };
}

async function judge(
  command: CommandLine,
  shape: CommandShape,
  check: string | undefined,
  temporaryObject: AnalyseOptions["temporaryObject"],
  probe: FileProbe,
): Promise<Verdict> {
  const reason = localReason(shape);
  if (reason?.outcome === "no-compilation" || reason?.outcome === "linking-only") return reason;
  if (check !== undefined) return { outcome: "configure-check", detail: check };
  if (reason !== undefined) return reason;
  const environment = jobEnvironment(command.environment);
  if (environment.kind === "local") return { outcome: "local-environment", detail: environment.variable };
  const named = inputOptions(shape.parts);
  if (named.kind === "unknown") {
    const text = textOf(named.part, shape.argv);
    return { outcome: "local-option", detail: `${text}: only the driver knows the folder` };
  }
  const sources = shape.inputs.filter(({ what }) => what.kind === "source");
  const extraInputs = await resolveExtraInputs(named, command.cwd, probe);
  const compilations: Compilation[] = [];
  for (const [index, source] of sources.entries()) {
    const object = shape.action === "link" ? temporaryObject(source.path, index) : undefined;
    const compilation = describe(command, shape, source, named, extraInputs, object);
    if ("outcome" in compilation) return compilation;
    compilations.push(compilation);
  }
  const obstacle = await fileObstacle(command, shape, compilations, probe);
  if (obstacle !== undefined) return obstacle;
  return shape.action === "link"
    ? { verdict: "distribute", compilations, link: linkStep(shape, sources) }
    : { verdict: "distribute", compilations };
}

function resolveExtraInputs(named: KnownInputs, cwd: string, probe: FileProbe): Promise<string[]> {
  return Promise.all(
    named.extraInputs.map(async ({ path, folderDefault }) =>
      folderDefault === undefined || (await probe.isReadable(absolute(path, cwd)))
        ? path
        : `${path}/${folderDefault}`,
    ),
  );
}

function describe(
  command: CommandLine,
  shape: CommandShape,
  source: CommandInput,
  named: KnownInputs,
  extraInputs: readonly string[],
  temporaryObject: string | undefined,
): Compilation | LocalReason {
  if (source.what.kind !== "source") throw new Error(`${source.path} is no source`);
  const output = temporaryObject ?? shape.outputs[0];
  const answer = outputFiles({
    family: shape.family,
    action: shape.action === "link" ? "object" : shape.action,
    emitsLlvm: shape.emitsLlvm,
    source: source.path,
    output,
    parts: shape.parts,
  });
  if (answer.kind === "unclear") return { outcome: "special-output", detail: answer.detail };
  const { language } = source.what;
  return {
    argv: compileCommand(shape, source, temporaryObject),
    source: source.path,
    language,
    outputs: answer.outputs,
    mainOutput: answer.mainOutput,
    ...(answer.dependencyFile === undefined ? {} : { dependencyFile: answer.dependencyFile }),
    discoveryArguments: discoveryArguments(shape, source),
    includeDirectories: [
      ...named.includeDirectories,
      ...environmentDirectories(command.environment, language),
    ],
    forcedIncludes: named.forcedIncludes,
    extraInputs,
    replay: needsReplay(shape),
    mappedVeto: mappedVeto(shape, output),
  };
}

/** What stands in the way on disk: a source that is not there, a special output, a precompiled header in use. */
async function fileObstacle(
  { cwd }: CommandLine,
  shape: CommandShape,
  compilations: readonly Compilation[],
  probe: FileProbe,
): Promise<LocalReason | undefined> {
  const outputs = compilations.flatMap((compilation) => compilation.outputs);
  const repeated = outputs.find((output, index) => outputs.indexOf(output) !== index);
  if (repeated !== undefined) return { outcome: "special-output", detail: `two files called ${repeated}` };
  const first = compilations[0];
  const candidates = precompiledCandidates(first?.forcedIncludes ?? [], first?.includeDirectories ?? [], cwd);
  const [readable, special, precompiled] = await Promise.all([
    Promise.all(compilations.map(({ source }) => probe.isReadable(absolute(source, cwd)))),
    // A temporary object's folder is made later.
    shape.action === "link" ? undefined : specialOutput(outputs, cwd, probe),
    Promise.all(candidates.map((path) => probe.kind(path))),
  ]);
  const unreadable = compilations.find((_, index) => readable[index] !== true);
  if (unreadable !== undefined) return { outcome: "unreadable-input", detail: unreadable.source };
  if (special !== undefined) return { outcome: "special-output", detail: special };
  const used = candidates.find((_, index) => precompiled[index] !== "absent");
  return used === undefined ? undefined : { outcome: "local-construct", detail: used };
}
