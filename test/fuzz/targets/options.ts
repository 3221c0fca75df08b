import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { analyse } from "@homcc/compiler/analyse";
import type { CompilerFamily, Compilation } from "@homcc/compiler/compilation";
import { optionTable } from "@homcc/compiler/option-table";
import { expandResponseFiles } from "@homcc/compiler/response-file";
import { checkAction, isInsideNamespaceRoot } from "@homcc/compiler/server-check";
import { CommandFolder } from "../command-folder.ts";
import { commandWords } from "../command-words.ts";
import { askDriver, type DriverUnit } from "../driver-commands.ts";
import { type FuzzTarget, must, mustEqual } from "../target.ts";

const drivers: Readonly<Record<CompilerFamily, readonly string[]>> = {
  gcc: ["gcc", "g++"],
  clang: ["clang", "clang++"],
};

/** A command, one word a line: what homcc makes of it against what the driver would start (`-###`). */
function optionsOf(family: CompilerFamily): FuzzTarget {
  let folder: CommandFolder | undefined;
  return {
    name: `options-${family}`,
    property:
      "a command that is sent has the sources, languages, inputs and outputs that the driver gives it",
    startsProcesses: true,
    dictionary: optionTable.filter((row) => row.families.includes(family)).map((row) => `\n${row.name}`),
    maxBytes: 600,
    unavailable: () =>
      drivers[family].every((name) => spawnSync(name, ["--version"]).status === 0)
        ? undefined
        : `${family} is not installed`,
    generate: (random) => Buffer.from(commandWords(family, random).join("\n"), "latin1"),
    async check(input) {
      folder ??= new CommandFolder();
      const argv = folder.argvOf(input);
      if (!drivers[family].includes(argv[0] ?? "") || argv.some((word) => word.includes("\0"))) return;
      await compare(argv, family, folder.path);
    },
    close: () => folder?.close(),
  };
}

export const optionsOfGcc: FuzzTarget = optionsOf("gcc");
export const optionsOfClang: FuzzTarget = optionsOf("clang");

async function compare(argv: readonly string[], family: CompilerFamily, cwd: string): Promise<void> {
  const analysis = await analyse(
    { argv, cwd, environment: {}, family },
    { temporaryObject: (_, index) => `${cwd}/tmp${index}.o` },
  );
  if (analysis.verdict === "local") return;
  // gcc hands words of a file on in another file, which is gone when it has answered.
  const expansion = await expandResponseFiles(argv, family, (path) => readFile(resolve(cwd, path), "latin1"));
  const units = askDriver(expansion.kind === "expanded" ? expansion.argv : argv, cwd);
  // The driver's own error is what the server's driver says too.
  if (units === undefined) return;
  mustEqual(
    "the sources",
    analysis.compilations.map(({ source }) => source),
    units.map(({ source }) => source),
  );
  for (const [index, compilation] of analysis.compilations.entries()) {
    const unit = units[index];
    if (unit === undefined) continue;
    compareUnit(compilation, unit, analysis.link !== undefined, cwd);
    compareServer(compilation, family, cwd);
    compareDiscovery(argv[0] ?? "", compilation, unit, cwd);
  }
}

function compareUnit(compilation: Compilation, unit: DriverUnit, isLinked: boolean, cwd: string): void {
  // g++ compiles x.i as preprocessed C++; as C++ it is searched for more than there is.
  if (compilation.language !== "c++" || unit.language !== "c++-cpp-output")
    mustEqual("the language", compilation.language, unit.language);
  // What is preprocessed already is searched for nothing.
  if (!unit.language.endsWith("cpp-output")) {
    mustEqual("forced includes", compilation.forcedIncludes, unit.forcedIncludes);
    for (const kind of ["quote", "angle", "system", "after"] as const)
      compareFolders(kind, compilation, unit);
  }
  if (!isLinked) {
    mustEqual("the main output", compilation.mainOutput, unit.output);
    // Of what is preprocessed already none is written, and one that is not written is no error.
    mustEqual(
      "the dependency file",
      unit.dependencyFile ?? compilation.dependencyFile,
      compilation.dependencyFile,
    );
    for (const output of unit.otherOutputs)
      must(
        compilation.outputs.includes(output),
        `${output} is written and not among ${compilation.outputs.join(" ")}`,
      );
  }
  const known = new Set(
    [
      compilation.source,
      ...compilation.forcedIncludes,
      ...compilation.extraInputs,
      ...compilation.outputs,
    ].map((path) => resolve(cwd, path)),
  );
  for (const path of filesIn(unit.words, cwd))
    must(known.has(path), `${path} is named to the compiler and no input or output`);
}

/** Each folder of the driver's, in its order; a folder more only costs a look. */
function compareFolders(kind: string, { includeDirectories }: Compilation, { folders }: DriverUnit): void {
  const found = includeDirectories.filter((folder) => folder.kind === kind).map(({ path }) => path);
  let at = 0;
  for (const { path } of folders.filter((folder) => folder.kind === kind)) {
    // The driver leaves it to the compiler what a system root stands for.
    const next = /^=|^\$SYSROOT/.test(path) ? at : found.indexOf(path, at);
    must(next >= 0 && next < found.length, `${kind} folders: ${path} is not among ${found.join(" ")}`);
    at = next + 1;
  }
}

/** Files of the folder that a word of the programs, or what follows its `=`, names. Macros and targets of rules are no names. */
function filesIn(words: readonly string[], cwd: string): string[] {
  const noNames = /^-(?:[DUAx]|MT|MQ|dumpbase|main-file-name|object-file-name|triple)$/;
  return words.flatMap((word, index) => {
    if (noNames.test(words[index - 1] ?? "") || /^-(?:[DU]|object-file-name)/.test(word)) return [];
    return [word, word.slice(word.indexOf("=") + 1)]
      .filter((name) => name !== "" && !name.startsWith("-"))
      .map((name) => resolve(cwd, name))
      .filter((path) => path.startsWith(`${cwd}/`) && existsSync(path) && statSync(path).isFile());
  });
}

function compareServer(compilation: Compilation, family: CompilerFamily, cwd: string): void {
  const refusal = checkAction(
    {
      steps: [{ program: `/usr/bin/${compilation.argv[0]}`, argv: [...compilation.argv] }],
      cwd,
      environment: {},
      outputs: compilation.outputs.map((path) => ({ path: resolve(cwd, path), exists: false })),
    },
    family,
    { isToolchainProgram: () => true, isInsideRoot: isInsideNamespaceRoot },
  );
  // What is replayed travels as the driver's own expansion; a folder outside is refused and then compiled at home.
  if (compilation.replay || refusal?.endsWith("is outside the job's root") === true) return;
  mustEqual("the server's refusal", refusal, undefined);
}

/** Asked for the includes, the driver has to search and define the same. */
function compareDiscovery(driver: string, compilation: Compilation, unit: DriverUnit, cwd: string): void {
  const [asked] = askDriver([driver, "-E", ...compilation.discoveryArguments, compilation.source], cwd) ?? [];
  if (asked === undefined || unit.language.endsWith("cpp-output")) return;
  mustEqual("macros when includes are listed", asked.macros, unit.macros);
  mustEqual("folders when includes are listed", asked.folders, unit.folders);
  mustEqual("forced includes when includes are listed", asked.forcedIncludes, unit.forcedIncludes);
}
