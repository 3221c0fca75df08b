import type { LexicalDialect } from "./directives.ts";

/** `__has_attribute(gnu::unused)`. */
export interface Question {
  readonly name: string;
  readonly operand: string;
}

/** What a compiler with certain options says about its language before it reads anything. One object for one such set. */
export interface LanguageFacts {
  /** `#define` lines. */
  readonly predefined: Uint8Array;
  /** Names beyond those that count as defined: `__has_include`, `__COUNTER__`, … */
  readonly builtins: readonly string[];
  readonly dialect: LexicalDialect;
  readonly cplusplus: boolean;
  /** `#elifdef` is known. */
  readonly elifdef: boolean;
  /** Answers in the order of the questions; `undefined` where there is none. */
  ask(questions: readonly Question[]): Promise<readonly (number | undefined)[]>;
}

/** What the command line itself makes a compiler read first. */
export interface CommandLineRoots {
  /** -D and -U, as directives, in order. */
  readonly macros: Uint8Array;
  /** -imacros, in order; they come before the others. */
  readonly macroFiles: readonly string[];
  /** `<stdc-predef.h>` is included where there is one: gcc without -nostdinc and -ffreestanding. */
  readonly preinclude: boolean;
  /** -include, in order. */
  readonly includes: readonly string[];
}
