import { isAbsolute, join } from "node:path";
import type { Compilation, Language } from "./compilation.ts";
import type { CommandPart, OptionPart } from "./option-reader.ts";
import type { IncludeKind, OptionRow } from "./option-row.ts";

type IncludeDirectory = Compilation["includeDirectories"][number];

/** What the options say about the files a compilation reads. */
export type InputOptions =
  | {
      readonly kind: "known";
      readonly includeDirectories: readonly IncludeDirectory[];
      readonly forcedIncludes: readonly string[];
      readonly extraInputs: readonly ExtraInput[];
    }
  /** A folder that depends on what only the driver knows. */
  | { readonly kind: "unknown"; readonly part: OptionPart };

export interface ExtraInput {
  readonly path: string;
  /** If `path` is a folder, the file is this one in it. */
  readonly folderDefault: string | undefined;
}

export function inputOptions(parts: readonly CommandPart[]): InputOptions {
  const includeDirectories: IncludeDirectory[] = [];
  const macros: string[] = [];
  const includes: string[] = [];
  const extraInputs: ExtraInput[] = [];
  const systemRoot = lastOperand(parts, "system-root");
  let prefix: string | undefined;
  for (const part of parts) {
    if (part.kind === "input" && part.reader === "assembler") {
      extraInputs.push({ path: part.path, folderDefault: undefined });
    }
    if (part.kind !== "option" || part.operand === undefined) continue;
    const { row, operand } = part;
    const { meaning } = row;
    if (meaning.class === "include-folder") {
      const path = expandRoot(operand, row, systemRoot);
      if (path === undefined) return { kind: "unknown", part };
      includeDirectories.push({ path, kind: meaning.kind });
    } else if (meaning.class === "include-prefix") {
      prefix = operand;
    } else if (meaning.class === "prefixed-include-folder") {
      // Without -iprefix it is the driver's own folder of headers.
      if (prefix === undefined) return { kind: "unknown", part };
      includeDirectories.push({ path: prefix + operand, kind: meaning.kind });
    } else if (meaning.class === "forced-include") {
      (meaning.macrosOnly ? macros : includes).push(operand);
    } else if (meaning.class === "extra-input") {
      extraInputs.push({ path: operand, folderDefault: meaning.folderDefault });
    }
  }
  // All -imacros files are read before the first -include.
  return { kind: "known", includeDirectories, forcedIncludes: [...macros, ...includes], extraInputs };
}

/** `=dir` and `$SYSROOT/dir` lie below the system root; gcc takes the words literally where none is set. */
function expandRoot(operand: string, row: OptionRow, systemRoot: string | undefined): string | undefined {
  if (row.name.startsWith("--") || row.name === "-F" || row.name === "-iframework") return operand;
  const rest = operand.startsWith("=") ? operand.slice(1) : /^\$SYSROOT(?=\/)(.*)$/s.exec(operand)?.[1];
  if (rest === undefined) return operand;
  return systemRoot === undefined ? undefined : systemRoot + rest;
}

export function lastOperand(
  parts: readonly CommandPart[],
  name: OptionRow["meaning"]["class"],
): string | undefined {
  return parts.findLast(
    (part): part is OptionPart => part.kind === "option" && part.row.meaning.class === name,
  )?.operand;
}

const variableOfLanguage: Readonly<Record<Language, string>> = {
  c: "C_INCLUDE_PATH",
  "cpp-output": "C_INCLUDE_PATH",
  "c++": "CPLUS_INCLUDE_PATH",
  "c++-cpp-output": "CPLUS_INCLUDE_PATH",
  "objective-c": "OBJC_INCLUDE_PATH",
  "objective-c-cpp-output": "OBJC_INCLUDE_PATH",
  "objective-c++": "OBJCPLUS_INCLUDE_PATH",
  "objective-c++-cpp-output": "OBJCPLUS_INCLUDE_PATH",
};

/** Folders from CPATH (after every -I) and from the language's own variable (after every -isystem). */
export function environmentDirectories(
  environment: Readonly<Record<string, string>>,
  language: Language,
): IncludeDirectory[] {
  const folders = (name: string, kind: IncludeKind) =>
    (environment[name] ?? "") === ""
      ? []
      : (environment[name] ?? "").split(":").map((path) => ({ path: path === "" ? "." : path, kind }));
  return [...folders("CPATH", "angle"), ...folders(variableOfLanguage[language], "system")];
}

/**
 * Where a precompiled form of a forced include would be found: gcc looks beside each place of the header, clang beside
 * the name as written. Absolute paths.
 */
export function precompiledCandidates(
  forcedIncludes: readonly string[],
  includeDirectories: readonly IncludeDirectory[],
  cwd: string,
): string[] {
  const absolute = (path: string) => (isAbsolute(path) ? path : `${cwd}/${path}`);
  return forcedIncludes.flatMap((name) => {
    const places = isAbsolute(name)
      ? [name]
      : [absolute(name), ...includeDirectories.map(({ path }) => join(absolute(path), name))];
    return places.flatMap((place) => [`${place}.gch`, `${place}.pch`]);
  });
}
