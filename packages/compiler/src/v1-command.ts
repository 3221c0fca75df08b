import { basename, resolve } from "node:path";
import type { Compilation, CompilerFamily } from "./compilation.ts";
import { type CommandPart, type OptionPart, readOptions, textOf } from "./option-reader.ts";

/** A compilation in the words of homcc 1.x, whose servers map paths in fewer places than ours. */
export type V1Command =
  | {
      readonly kind: "suitable";
      /** The compiler's base name first. */
      readonly args: readonly string[];
      /** Absolute path under which the server returns the object; the client may want it elsewhere. */
      readonly object: string;
      /** Arguments of a run at home that writes the dependency file: 1.x servers do not make any. */
      readonly dependencyRun: readonly string[] | undefined;
    }
  | { readonly kind: "unsuitable"; readonly why: string };

const objectElsewhere = "homcc-object.o";
const plainLanguages: ReadonlySet<string> = new Set(["c", "c++", "objective-c", "objective-c++"]);
/** Of absolute operands a 1.x server maps those of these, the source and the output. */
const mappedFolders: ReadonlySet<string> = new Set(["-I", "-isystem"]);

/** What a server of homcc 1.x would be asked; `unsuitable` when it would hang, lose an output or compile something else. */
export function v1Command(
  compilation: Compilation,
  { cwd, family }: { readonly cwd: string; readonly family: CompilerFamily },
): V1Command {
  const { argv, source, language, mainOutput, replay, mappedVeto } = compilation;
  const parts = readOptions(argv, family);
  const why = obstacle(parts, argv);
  if (why !== undefined) return { kind: "unsuitable", why };
  if (mainOutput === undefined || replay) return { kind: "unsuitable", why: "it gives no object" };
  if (mappedVeto !== undefined) return { kind: "unsuitable", why: mappedVeto };
  if (!plainLanguages.has(language)) return { kind: "unsuitable", why: `${source} is ${language}` };
  const wanted = resolve(cwd, mainOutput);
  const isPlain = wanted.startsWith(`${cwd}/`) && wanted.endsWith(".o");
  const others = compilation.outputs.filter(
    (path) => path !== mainOutput && path !== dependencyFileOf(compilation, parts),
  );
  if (others.some((path) => !isPlain || !path.endsWith(".dwo")))
    return { kind: "unsuitable", why: `a homcc 1.x server does not return ${others[0]}` };
  const dropped = new Set(parts.filter(isDropped).flatMap(({ words }) => words));
  if (!isPlain)
    for (const part of parts) if (isOutput(part)) for (const index of part.words) dropped.add(index);
  const kept = argv.slice(1).filter((_, index) => !dropped.has(index + 1));
  const blank = kept.find((word) => /\s/.test(word));
  if (blank !== undefined)
    return { kind: "unsuitable", why: `'${blank}': words with blanks break in homcc 1.x` };
  return {
    kind: "suitable",
    args: [nameOf(argv[0] ?? "", family), ...kept, ...(isPlain ? [] : ["-o", objectElsewhere])],
    object: isPlain ? wanted : `${cwd}/${objectElsewhere}`,
    dependencyRun: dependencyRun(compilation, parts),
  };
}

function obstacle(parts: readonly CommandPart[], argv: readonly string[]): string | undefined {
  if (argv.includes("-S")) return "-S: homcc 1.x makes objects only";
  for (const part of parts) {
    if (part.kind === "unknown" || part.kind === "incomplete") return part.text;
    if (part.kind !== "option") continue;
    if (part.reader !== "driver" && isDependencyOption(part)) return textOf(part, argv);
    if (isDropped(part)) continue;
    const { operand, name } = part.row;
    const namesPath = operand === "file" || operand === "folder";
    if (namesPath && part.operand?.startsWith("/") === true && !mappedFolders.has(name))
      return `${textOf(part, argv)}: homcc 1.x does not map its folder`;
  }
  return undefined;
}

const dependencyClasses: ReadonlySet<string> = new Set([
  "dependency",
  "dependency-file",
  "dependency-detail",
]);

function isDependencyOption(part: CommandPart): part is OptionPart {
  return part.kind === "option" && dependencyClasses.has(part.row.meaning.class);
}

/** 1.x servers have no use for it, or take it for something else. */
function isDropped(part: CommandPart): boolean {
  if (part.kind !== "option") return false;
  const { class: kind } = part.row.meaning;
  return dependencyClasses.has(kind) || kind === "linker";
}

function isOutput(part: CommandPart): boolean {
  return part.kind === "option" && part.row.name === "-o";
}

/** What a server of 1.x starts has to have `gcc`, `g++` or `clang` in its name. */
function nameOf(program: string, family: CompilerFamily): string {
  const name = basename(program);
  if (/gcc|g\+\+|clang/.test(name)) return name;
  const isCxx = name.includes("++");
  return family === "gcc" ? (isCxx ? "g++" : "gcc") : isCxx ? "clang++" : "clang";
}

function dependencyFileOf(
  { outputs, mainOutput }: Compilation,
  parts: readonly CommandPart[],
): string | undefined {
  if (!parts.some((part) => isDependencyOption(part) && part.row.meaning.class === "dependency"))
    return undefined;
  const named = parts.filter(isDependencyOption).findLast(({ row }) => row.name === "-MF")?.operand;
  return named ?? outputs.find((path) => path !== mainOutput && path.endsWith(".d"));
}

/** `-M` instead of `-MD`, with the target that `-MD` takes from the output's name. */
function dependencyRun(compilation: Compilation, parts: readonly CommandPart[]): string[] | undefined {
  const file = dependencyFileOf(compilation, parts);
  if (file === undefined) return undefined;
  const options = parts.filter(isDependencyOption);
  const user = options.some(({ row }) => /^-(-write-user-dependencies|MMD)$/.test(row.name));
  const all = options.some(({ row }) => /^-(-write-dependencies|MD)$/.test(row.name));
  const targets = options.filter(({ row }) => row.name === "-MT" || row.name === "-MQ");
  const phony = options.some(({ row }) => row.name === "-MP");
  return [
    ...compilation.discoveryArguments,
    user && !all ? "-MM" : "-M",
    ...(phony ? ["-MP"] : []),
    ...(targets.length === 0
      ? ["-MQ", compilation.mainOutput ?? ""]
      : targets.flatMap(({ row, operand }) => [row.name, operand ?? ""])),
    "-MF",
    file,
    compilation.source,
  ];
}
