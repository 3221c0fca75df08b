import type { Compilation, CompilerFamily } from "@homcc/compiler/compilation";
import { CannotScan } from "@homcc/scanner/cannot-scan";
import type { CommandLineRoots } from "@homcc/scanner/language-facts";
import { optionDefinition } from "./option-definitions.ts";

/** What a command says to an include scanner. */
export interface ScanCommandLine {
  /** The arguments that decide what the compiler predefines. */
  readonly languageArguments: readonly string[];
  readonly roots: Omit<CommandLineRoots, "preinclude">;
  /** -nostdinc: gcc then includes nothing of its own accord. */
  readonly noStandardIncludes: boolean;
  readonly embedFolders: readonly string[];
}

/** Options whose effect on what is read is not modelled, or that another reader than the preprocessor's may see. */
const unmodelled = [
  /^-I-$/,
  /^-X(clang|preprocessor|analyzer)/,
  /^-f(no-)?(modules|implicit-module|prebuilt-module|module|cxx-modules)/,
  /^-fmodule/,
  /^-ivfsoverlay/,
  /^-{1,2}traditional/,
  /^-f(no-)?(ms-extensions|ms-compatibility|dollars-in-identifiers|operator-names|input-charset|exec-charset)/,
  /^-f(input|exec)-charset/,
  /^-(remap|undef)$/,
  /^-f(preprocessed|directives-only|pch-preprocess)$/,
  /^-include-pch/,
  /^-A/,
  /^-F./,
  /^-iframework/,
  /^--?assert/,
  /^@/,
];

const operandBehind =
  /^(-[DUI]|-(iquote|isystem|idirafter|include|imacros)|--(include|imacros|define-macro|undefine-macro|include-directory))$/;
const searchOption = /^(-I|-iquote|-isystem|-idirafter|--include-directory)/;

/** Throws `CannotScan` for a command that has to be preprocessed by its compiler. */
export function readScanCommandLine(compilation: Compilation, family: CompilerFamily): ScanCommandLine {
  const args = compilation.discoveryArguments;
  const wrapped = compilation.argv.find((argument) =>
    /^(-Wp,(.*,)?-[DUi]|-Xpreprocessor|-Xclang)/.test(argument),
  );
  // They come after all others, whatever their place in the command.
  if (wrapped !== undefined) throw new CannotScan("option", wrapped);
  const languageArguments: string[] = [];
  const macros: string[] = [];
  const macroFiles: string[] = [];
  const includes: string[] = [];
  const embedFolders: string[] = [];
  for (let index = 0; index < args.length; index += 1) {
    const argument = args[index] ?? "";
    if (unmodelled.some((pattern) => pattern.test(argument))) throw new CannotScan("option", argument);
    const takesNext = operandBehind.test(argument);
    const operand = takesNext ? (args[index + 1] ?? "") : undefined;
    if (takesNext) index += 1;
    const forced = /^--?(include|imacros)(?:=(.*))?$/s.exec(argument);
    const definition = optionDefinition(argument, operand);
    const embed = /^--embed-dir=(.+)/s.exec(argument)?.[1];
    if (forced !== null) (forced[1] === "include" ? includes : macroFiles).push(forced[2] ?? operand ?? "");
    else if (definition !== undefined) macros.push(definition);
    else if (embed !== undefined) embedFolders.push(embed);
    else if (!searchOption.test(argument))
      languageArguments.push(argument, ...(operand === undefined ? [] : [operand]));
  }
  checkForced(compilation, [...includes, ...macroFiles]);
  return {
    languageArguments,
    roots: { macros: Buffer.from(macros.join("")), macroFiles, includes },
    noStandardIncludes: family !== "gcc" || args.includes("-nostdinc"),
    embedFolders,
  };
}

function checkForced({ forcedIncludes }: Compilation, read: readonly string[]): void {
  if (JSON.stringify(forcedIncludes.toSorted()) !== JSON.stringify(read.toSorted()))
    throw new CannotScan("option", `-include: ${forcedIncludes.join(" ")}`);
}
