import type { CompilerFamily, Language } from "./compilation.ts";

/** What a driver takes an input for. */
export type InputKind =
  | { readonly kind: "source"; readonly language: Language }
  /** A language or a form of it that is compiled at home. */
  | { readonly kind: "other-language"; readonly language: string }
  /** An object, a library, a linker script: whatever has no known ending. */
  | { readonly kind: "linker-input" };

const languages: ReadonlySet<string> = new Set<Language>([
  "c",
  "c++",
  "objective-c",
  "objective-c++",
  "cpp-output",
  "c++-cpp-output",
  "objective-c-cpp-output",
  "objective-c++-cpp-output",
]);

/** Endings by language, case-sensitive: `.C` is C++ and `.c` is C. */
const endings: Readonly<Record<Language, readonly string[]>> = {
  c: ["c"],
  "c++": ["cc", "cp", "cxx", "cpp", "c++", "C", "CPP"],
  "objective-c": ["m"],
  "objective-c++": ["mm", "M"],
  "cpp-output": ["i"],
  "c++-cpp-output": ["ii"],
  "objective-c-cpp-output": ["mi"],
  "objective-c++-cpp-output": ["mii"],
};

/** Only clang knows these; to gcc they are linker inputs. */
const clangEndings: ReadonlyMap<string, Language> = new Map<string, Language>([
  ["CXX", "c++"],
  ["CC", "c++"],
  ["C++", "c++"],
]);

/** Endings of what the drivers compile and we do not send. */
const otherEndings: ReadonlyMap<string, string> = new Map(
  Object.entries({
    assembler: "s S sx asm",
    header: "h hh H hp hxx hpp HPP h++ tcc",
    module: "cppm ccm cxxm c++m ixx pcm iim",
    "LLVM assembler": "ll bc",
    "syntax tree": "ast pch gch",
    Fortran: "f for ftn F FOR fpp FPP FTN f90 f95 f03 f08 F90 F95 F03 F08",
    Ada: "adb ads",
    D: "d di dd",
    Go: "go",
    Rust: "rs",
    "Modula-2": "mod",
    CUDA: "cu cui cuh",
    HIP: "hip hipi",
    OpenCL: "cl cli clcpp",
    RenderScript: "rs",
    interface: "ifs",
  }).flatMap(([language, names]) => names.split(" ").map((ending) => [ending, language] as const)),
);

const languageByEnding: ReadonlyMap<string, Language> = new Map(
  [...languages].flatMap((language) => endingsOf(language)),
);

function endingsOf(language: string): [string, Language][] {
  return isLanguage(language) ? endings[language].map((ending) => [ending, language]) : [];
}

/** True for the names `-x` takes of languages that are sent. */
export function isLanguage(name: string): name is Language {
  return languages.has(name);
}

/** Who takes the input: the C++ drivers (g++, clang++) make C++ of C sources. */
export interface SourceReader {
  readonly family: CompilerFamily;
  readonly cxxDriver: boolean;
}

/** What the input is; `declared` is the operand of the last `-x` before it. */
export function inputKind(path: string, declared: string | undefined, reader: SourceReader): InputKind {
  if (declared !== undefined && declared !== "none") {
    return isLanguage(declared)
      ? { kind: "source", language: declared }
      : { kind: "other-language", language: declared };
  }
  const ending = endingOf(path);
  const language =
    languageByEnding.get(ending) ?? (reader.family === "clang" ? clangEndings.get(ending) : undefined);
  if (language !== undefined) return { kind: "source", language: languageTo(language, reader) };
  const other = otherEndings.get(ending);
  return other === undefined ? { kind: "linker-input" } : { kind: "other-language", language: other };
}

function languageTo(language: Language, { family, cxxDriver }: SourceReader): Language {
  if (!cxxDriver || (language !== "c" && language !== "cpp-output")) return language;
  return language === "cpp-output" && family === "clang" ? "c++-cpp-output" : "c++";
}

/** What follows the last dot of the last component; empty when there is none. */
function endingOf(path: string): string {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const dot = name.lastIndexOf(".");
  return dot < 0 ? "" : name.slice(dot + 1);
}
