import { IncludeLexer } from "./include-lexer.ts";

/** How a name is looked for: `"…"` beside the file that has it first, `<…>` in the search folders only. */
export type NameForm = "quote" | "angle";

/** What a name is wanted for; the `next` kinds go on searching behind the folder of the file that has them. */
export type NameKind =
  | "include"
  | "include_next"
  | "import"
  | "embed"
  | "has_include"
  | "has_include_next"
  | "has_embed"
  /** `#pragma GCC dependency`: only its time is looked at. */
  | "dependency"
  /** `#line`: gcc shows lines of it in messages. As written from the working folder. */
  | "line";

export interface IncludeName {
  readonly kind: NameKind;
  readonly form: NameForm;
  readonly name: string;
}

/** What a file may make a compiler look for, all branches of its conditionals taken together. */
export interface IncludeNames {
  /** Without duplicates, in the order of the file. */
  readonly names: readonly IncludeName[];
  /** The includes that could be the first of all: a precompiled header is used for no other. */
  readonly firstIncludes: readonly IncludeName[];
  /** Operands that are macros: the identifier as written, and what the name behind it is wanted for. */
  readonly computed: readonly { readonly macro: string; readonly kind: NameKind }[];
  /** Macros whose whole body is a header name: what computed operands usually come to. */
  readonly defined: readonly { readonly macro: string; readonly form: NameForm; readonly name: string }[];
  /** Macros that ask for what they are given, `#define HAVE(x) __has_include(x)`: where they are used, names may stand. */
  readonly asking: readonly { readonly macro: string; readonly kind: NameKind }[];
  /** Quoted names that macros ask for: looked for beside the file that uses the macro, not beside this one. */
  readonly askedAnywhere: readonly IncludeName[];
  /** Macros of the focus that are defined as something else than a header name. */
  readonly opaque: readonly string[];
  /** Operands of `.incbin` and `.include` in inline assembly. */
  readonly assemblerFiles: readonly string[];
  /** There is an `.incbin` or `.include` whose operand is not written beside it. */
  readonly assemblerUnknown: boolean;
  /** A line begins as a module declaration or import does. */
  readonly modules: boolean;
  readonly pragmaOnce: boolean;
  /** Preprocessed text that begins with a precompiled header. */
  readonly precompiled: boolean;
  /** `__DATE__`, `__TIME__` or `__TIMESTAMP__` occurs. */
  readonly time: boolean;
  /** A name has bytes that are not UTF-8. */
  readonly invalidNames: boolean;
}

/** Macros of a whole unit to look out for, which the text of one file alone does not tell. */
export interface MacroFocus {
  readonly asking: ReadonlyMap<string, NameKind>;
  /** Operands of questions: all their definitions have to be known. */
  readonly operands: ReadonlySet<string>;
}

export const noFocus: MacroFocus = { asking: new Map(), operands: new Set() };

/**
 * Extracts every name by which a C, C++ or Objective-C source can make the compiler look for a file, without
 * evaluating conditionals or macros: about 100 MB/s. Content decides alone, so the result can be kept by digest.
 */
export function extractIncludeNames(source: Uint8Array, focus: MacroFocus = noFocus): IncludeNames {
  const lexer = new IncludeLexer(source, focus);
  while (lexer.advance(Infinity));
  return lexer.names();
}
