import type { CompilerFamily } from "./compilation.ts";

/**
 * How an option and its operand are written: `flag` -c · `joined` -O2 (the operand may be empty) · `separate` -aux-info f ·
 * `both` -I d and -Id · `equals` -std=c99 · `optional` -flto and -flto=4 · `either` --sysroot d and --sysroot=d ·
 * `comma` -Wl,a,b · `joined-and-separate` -Xarch_a b.
 */
export type Spelling =
  | "flag"
  | "joined"
  | "separate"
  | "both"
  | "equals"
  | "optional"
  | "either"
  | "comma"
  | "joined-and-separate";

/** What the operand names; files, folders and outputs are paths that a server checks. */
export type Operand = "none" | "text" | "file" | "folder" | "output" | "option";

/**
 * Who reads a word: the driver, or the program behind `-Wp,`/`-Xpreprocessor`, `-Wa,`/`-Xassembler`, `-Xclang`, `-mllvm`.
 */
export type Reader = "driver" | "preprocessor" | "assembler" | "cc1" | "llvm";

/** Files whose names are derived from the output's or the source's name. */
export type DerivedOutput =
  | "split-dwarf"
  | "coverage-notes"
  | "stack-usage"
  | "callgraph"
  | "time-trace"
  | "optimization-record";

export type IncludeKind = "quote" | "angle" | "system" | "after";

/** What an option means for distribution; everything but `query` and `local` travels. */
export type OptionClass =
  /** Sent unchanged; may define macros or choose a dialect, so it also counts when includes are listed. */
  | { readonly class: "send" }
  /** Sent unchanged; says how to report, never what is read. */
  | { readonly class: "report" }
  | { readonly class: "action"; readonly action: "object" | "assembly" | "syntax" | "llvm" }
  | { readonly class: "language" }
  | { readonly class: "output" }
  | { readonly class: "macro" }
  | { readonly class: "include-folder"; readonly kind: IncludeKind }
  /** `-iprefix`, and the folders that are appended to it. */
  | { readonly class: "include-prefix" }
  | { readonly class: "prefixed-include-folder"; readonly kind: IncludeKind }
  | { readonly class: "system-root" }
  | { readonly class: "forced-include"; readonly macrosOnly: boolean }
  /** A file the compiler reads beside source and headers. `folderDefault`: its name in a folder given instead. */
  | { readonly class: "extra-input"; readonly folderDefault?: string }
  /** The operand, or what follows `after` in it, is a file the compiler writes. */
  | { readonly class: "extra-output"; readonly after?: string }
  | { readonly class: "derived-output"; readonly derived: DerivedOutput }
  /** `-MD`, `-MMD`: a dependency file beside the output; with an operand (`-Wp,-MD,f`) that file. */
  | { readonly class: "dependency" }
  | { readonly class: "dependency-file" }
  | { readonly class: "dependency-detail" }
  /** For the linker alone: without meaning when an object is made. */
  | { readonly class: "linker" }
  /** The driver asks this machine (its processor, its folders); its own expansion is run instead. */
  | { readonly class: "replay" }
  /** The operand is for another reader and is read with this table again. */
  | { readonly class: "wrapped"; readonly reader: Reader }
  | { readonly class: "end-of-options" }
  /** The command makes nothing that a server could make. */
  | { readonly class: "query" }
  | { readonly class: "local" };

/** What a server that can only map paths does with it. */
export type MappedVerdict = "send" | "local" | "local-with-absolute-output";

export interface OptionRow {
  /** With its dashes; without the operand, and for `equals`, `optional` and `either` without the `=` before it. */
  readonly name: string;
  readonly spelling: Spelling;
  readonly operand: Operand;
  readonly families: readonly CompilerFamily[];
  readonly readers: readonly Reader[];
  readonly meaning: OptionClass;
  readonly mapped: MappedVerdict;
  /** It loads or starts something on the server: a server refuses it also inside a replayed command. */
  readonly dangerous: boolean;
  /** The command line itself ends up in the object. */
  readonly recordsCommand: boolean;
  /** Completes "… because": why the class is what it is. */
  readonly reason: string;
}

const spellings: Readonly<Record<Spelling, (name: string, operand: string) => string>> = {
  flag: (name) => name,
  joined: (name, operand) => `${name}<${operand}>`,
  separate: (name, operand) => `${name} <${operand}>`,
  both: (name, operand) => `${name} <${operand}>, ${name}<${operand}>`,
  equals: (name, operand) => `${name}=<${operand}>`,
  optional: (name, operand) => `${name}, ${name}=<${operand}>`,
  either: (name, operand) => `${name}=<${operand}>, ${name} <${operand}>`,
  comma: (name, operand) => `${name}<${operand}>,…`,
  "joined-and-separate": (name, operand) => `${name}<text> <${operand}>`,
};

/** The option as a reader of the documentation writes it. */
export function spell(row: OptionRow): string {
  return spellings[row.spelling](row.name, row.operand);
}
