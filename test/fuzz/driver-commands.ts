import { spawnSync } from "node:child_process";
import { basename } from "node:path";
import { quotedWords } from "@homcc/compiler/driver-replay";
import type { IncludeKind } from "@homcc/compiler/option-row";

/** What a driver would start for one source, read from `-###`: the oracle of the option table. */
export interface DriverUnit {
  readonly source: string;
  /** As `-x` calls it. */
  readonly language: string;
  /** What the last program of the unit writes; `undefined` for `/dev/null` and for a name of the driver's own. */
  readonly output: string | undefined;
  /** Files besides that are certainly written. */
  readonly otherOutputs: readonly string[];
  readonly dependencyFile: string | undefined;
  readonly folders: readonly { readonly kind: IncludeKind; readonly path: string }[];
  /** -imacros files first, as they are read. */
  readonly forcedIncludes: readonly string[];
  /** -D, -U and -A, in order. */
  readonly macros: readonly string[];
  /** All words of the unit's programs. */
  readonly words: readonly string[];
}

/** `undefined` when the driver refuses the command. */
export function askDriver(argv: readonly string[], cwd: string): DriverUnit[] | undefined {
  const [program = "", ...words] = argv;
  const answer = spawnSync(program, ["-###", ...words], {
    cwd,
    encoding: "utf8",
    timeout: 20_000,
    env: { PATH: "/usr/bin:/bin", LC_ALL: "C" },
  });
  // clang says what it does not support, and goes on all the same.
  if (answer.status !== 0 || /^\S+: error: /m.test(answer.stderr)) return undefined;
  const units: DriverUnit[] = [];
  let unit: string[][] = [];
  const finish = (): void => {
    if (unit.length > 0) units.push(readUnit(unit));
    unit = [];
  };
  for (const line of answer.stderr.split("\n")) {
    const command = line.startsWith(" ") ? quotedWords(line) : undefined;
    if (command === undefined || line === " (in-process)") continue;
    // With -no-integrated-cpp the first of two programs only preprocesses.
    if (isCompiler(command) && unit.at(-1)?.includes("-E") !== true) finish();
    if (isCompiler(command) || (unit.length > 0 && isAssembling(command))) unit.push(command);
  }
  finish();
  return units;
}

function isCompiler(command: readonly string[]): boolean {
  return command[1] === "-cc1" || /^cc1(plus|obj|objplus)?$/.test(basename(command[0] ?? ""));
}

/** What follows it to the unit's object; the linker does not. */
function isAssembling([program = ""]: readonly string[]): boolean {
  return /^(?:.*-)?(?:as|objcopy)$/.test(basename(program));
}

function readUnit(commands: readonly (readonly string[])[]): DriverUnit {
  const [compiler = []] = commands;
  const shared = {
    folders: foldersOf(compiler),
    forcedIncludes: ["-imacros", "-include"].flatMap((name) =>
      pairs(compiler).flatMap(([option, value]) => (option === name || option === `-${name}` ? [value] : [])),
    ),
    macros: pairs(compiler).flatMap(([name, value]) => (/^-[DUA]$/.test(name) ? [`${name}${value}`] : [])),
    words: commands.flat(),
  };
  return compiler[1] === "-cc1" ? clangUnit(commands, shared) : gccUnit(commands, shared);
}

type Shared = Pick<DriverUnit, "folders" | "forcedIncludes" | "macros" | "words">;

function gccUnit(commands: readonly (readonly string[])[], shared: Shared): DriverUnit {
  const [first = []] = commands;
  const compiler = commands.findLast(isCompiler) ?? [];
  const base = operands(compiler, "-dumpbase").at(-1) ?? "";
  const extension = operands(compiler, "-dumpbase-ext").at(-1) ?? "";
  const folder = operands(compiler, "-dumpdir").at(-1) ?? "";
  const stem = `${folder}${extension !== "" && base.endsWith(extension) ? base.slice(0, -extension.length) : base}`;
  const has = (option: string): boolean => compiler.includes(option);
  const dependencies = pairs(first).filter(([name]) => name === "-MD" || name === "-MMD" || name === "-MF");
  // Without one of the others -MF is an error of the compiler's.
  const dependencyFile = dependencies.some(([name]) => name !== "-MF") ? dependencies.at(-1)?.[1] : undefined;
  const isPreprocessed = first.includes("-fpreprocessed");
  return {
    ...shared,
    source: sourceOf(first),
    language: gccLanguage(basename(first[0] ?? ""), isPreprocessed),
    output: mainOutput(commands),
    otherOutputs: [
      ...(has("-fstack-usage") ? [`${stem}.su`] : []),
      ...(has("-ftest-coverage") ? [`${stem}.gcno`] : []),
      ...(has("-fsave-optimization-record") ? [`${folder}${base}.opt-record.json.gz`] : []),
      ...operands(compiler, "-aux-info"),
      ...commands.flatMap((command) => (command[1] === "--extract-dwo" ? [command.at(-1) ?? ""] : [])),
    ],
    dependencyFile,
  };
}

/** The only word that is no option and no value of one. */
function sourceOf(words: readonly string[]): string {
  const values = pairs(words).map(([, value]) => value);
  return words.slice(1).find((word) => !word.startsWith("-") && !takeOne(values, word)) ?? "";
}

function takeOne(values: string[], word: string): boolean {
  const at = values.indexOf(word);
  if (at >= 0) values.splice(at, 1);
  return at >= 0;
}

function gccLanguage(program: string, isPreprocessed: boolean): string {
  const language =
    { cc1: "c", cc1plus: "c++", cc1obj: "objective-c", cc1objplus: "objective-c++" }[program] ?? "";
  if (!isPreprocessed) return language;
  return language === "c" ? "cpp-output" : `${language}-cpp-output`;
}

function clangUnit(commands: readonly (readonly string[])[], shared: Shared): DriverUnit {
  const [compiler = []] = commands;
  const named = ["-stack-usage-file", "-split-dwarf-output", "-serialize-diagnostic-file"];
  // Of another format clang says that it does not exist.
  if (/^(?:yaml|bitstream)$/.test(operands(compiler, "-opt-record-format").at(-1) ?? "yaml"))
    named.push("-opt-record-file");
  const joined = ["-stack-usage-file=", "-ftime-trace=", "-coverage-notes-file="];
  return {
    ...shared,
    source: compiler.at(-1) ?? "",
    language: operands(compiler, "-x").at(-1) ?? "",
    output: compiler.includes("-fsyntax-only") ? undefined : mainOutput(commands),
    otherOutputs: [
      ...named.flatMap((option) => operands(compiler, option)),
      ...joined.flatMap((start) =>
        compiler.flatMap((word) => (word.startsWith(start) ? [word.slice(start.length)] : [])),
      ),
    ],
    dependencyFile: operands(compiler, "-dependency-file").at(-1),
  };
}

/** Of the assembler where there is one, else of the compiler. */
function mainOutput(commands: readonly (readonly string[])[]): string | undefined {
  const makers = commands.filter(
    (command) => isCompiler(command) || /^(.*-)?as$/.test(basename(command[0] ?? "")),
  );
  const output = operands(makers.at(-1) ?? [], "-o").at(-1);
  return output === "/dev/null" || output?.startsWith("/tmp/") === true ? undefined : output;
}

const folderKinds: Readonly<Record<string, IncludeKind>> = {
  "-I": "angle",
  "-iquote": "quote",
  "-isystem": "system",
  "-idirafter": "after",
};

function foldersOf(compiler: readonly string[]): DriverUnit["folders"] {
  return pairs(compiler).flatMap(([name, path]) => {
    const kind = folderKinds[name];
    return kind === undefined ? [] : [{ kind, path }];
  });
}

/** Options whose operand drivers write as a word of its own. */
const separate =
  /^-(?:-param|-imacros|-include|cxx-isystem|iframework|iwithprefix|iwithprefixbefore|G|[IDUAox]|iquote|isystem|idirafter|iprefix|include|imacros|MD|MMD|MF|MT|MQ|dump(?:base|base-ext|dir)|aux-info|imultiarch|isysroot|mllvm|stack-usage-file|opt-record-(?:file|format)|split-dwarf-(?:output|file)|serialize-diagnostic-file|dependency-file|main-file-name|resource-dir|internal-isystem|internal-externc-isystem|triple|target-cpu)$/;

/** What comes through -Wp, and -Xclang is passed on as it is. */
const joinedPath = /^(-(?:[IDU]|iquote|isystem|idirafter|include(?!-pch)|imacros))(.+)$/s;

function pairs(words: readonly string[]): [string, string][] {
  const found: [string, string][] = [];
  for (let at = 1; at < words.length; at++) {
    const name = words[at] ?? "";
    const [, option, value] = joinedPath.exec(name) ?? [];
    if (option !== undefined && value !== undefined) found.push([option, value]);
    if (!separate.test(name)) continue;
    at += 1;
    found.push([name, words[at] ?? ""]);
  }
  return found;
}

function operands(words: readonly string[], option: string): string[] {
  return pairs(words).flatMap(([name, value]) => (name === option ? [value] : []));
}
