import type { OutcomeName } from "@homcc/observability/outcomes";

export type CompilerFamily = "gcc" | "clang";

/** Languages that are distributed, by the name `-x` has for them. */
export type Language =
  | "c"
  | "c++"
  | "objective-c"
  | "objective-c++"
  | "cpp-output"
  | "c++-cpp-output"
  | "objective-c-cpp-output"
  | "objective-c++-cpp-output";

/** A compile command as it was called. */
export interface CommandLine {
  /** The compiler's own name first, as the caller wrote it; the launcher's name and options are gone. */
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly family: CompilerFamily;
}

/** What analysing a command line comes to. */
export type Analysis =
  | {
      readonly verdict: "local";
      readonly outcome: OutcomeName;
      /** The option, file or variable that decided it. */
      readonly detail: string;
      /** True for configure checks: nothing of ours is ever printed for them. */
      readonly silent: boolean;
      /** For `linking-only`: the program or library that is linked. */
      readonly linkOutput?: string;
    }
  | {
      readonly verdict: "distribute";
      /** One per source, in command order. */
      readonly compilations: readonly Compilation[];
      /** Present when the command also links: runs at home after all compilations succeeded. */
      readonly link?: LinkStep;
    };

/** One source file to one object file (or assembler text), with everything the command says about it. */
export interface Compilation {
  /**
   * The driver's arguments, `argv[0]` included. For a command with `-c` or `-S` and one source these are the
   * caller's own, token by token (`@file` expanded only where the server could not read it).
   */
  readonly argv: readonly string[];
  /** As written in the command. */
  readonly source: string;
  readonly language: Language;
  /** Every file the compiler may write: object, dependency file, .dwo, .gcno, .su, … As written or derived, relative to cwd. */
  readonly outputs: readonly string[];
  /** The main output (object or assembler text); `undefined` for -fsyntax-only. */
  readonly mainOutput: string | undefined;
  /** The one of `outputs` that lists what the compiler read. */
  readonly dependencyFile?: string;
  /**
   * Arguments for listing includes: those of `argv` that decide what is read (language, macros, search folders,
   * target, forced includes), without outputs, dependency options and the source.
   */
  readonly discoveryArguments: readonly string[];
  /** Folders named by -I and its family, also empty or missing ones: their existence travels. */
  readonly includeDirectories: readonly {
    readonly path: string;
    readonly kind: "quote" | "angle" | "system" | "after";
  }[];
  /** Files named by -include and -imacros, looked up like `#include "…"` in cwd and then the quote folders. */
  readonly forcedIncludes: readonly string[];
  /** Other files that options name and the compiler reads (`-fsanitize-ignorelist=`, `-Wa,f.s`, …). */
  readonly extraInputs: readonly string[];
  /**
   * `-march=native` and its family, or a wrapper as compiler: the driver's own expansion (`-###`) is run instead of
   * the driver.
   */
  readonly replay: boolean;
  /** Why a server that can only map paths must not run it; `undefined` when it may. */
  readonly mappedVeto: string | undefined;
}

export interface LinkStep {
  /** The link command with `{object N}` standing for the object of compilation N. */
  readonly argv: readonly (string | { readonly object: number })[];
  readonly output: string;
}
