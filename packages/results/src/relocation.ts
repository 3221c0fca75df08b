import type { Action } from "@homcc/cas/action";
import { isBelow } from "./source-root.ts";

/** Stands for the source root in what is the same for every root. No path has a NUL. */
export const rootMark = "\0";

/** Whether an action means the same in a project folder of another name. */
export type Relocatability =
  | {
      readonly kind: "free";
      readonly relocation: Relocation;
      /** The compiler calls files by names with the root in them. */
      readonly namesRoot: boolean;
      /** A prefix map takes it out of `__FILE__`, but not out of clang's names of types. */
      readonly mapsRoot: boolean;
    }
  | { readonly kind: "bound"; readonly reason: string };

/** Replaces the source root by a mark and back. */
export class Relocation {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  mark(path: string): string {
    return isBelow(path, this.root) ? rootMark + path.slice(this.root.length) : path;
  }

  unmark(path: string): string {
    return path.startsWith(rootMark) ? this.root + path.slice(rootMark.length) : path;
  }

  /** An argument of `relocatabilityOf` a free action: the root is where a path begins in it. */
  markArgument(word: string): string {
    return word.replaceAll(this.root, rootMark);
  }
}

/** What hashes names, or puts the command line into its output, shows the root in a way that no search finds. */
const hashingOption =
  /^(?:-fprofile|-ftest-coverage$|--?coverage$|-fcoverage-mapping|-fcs-profile|-flto|-fthin|-fsanitize|-funique-internal|-fmodule|-save-temps|-fplugin|-Xclang$|-mllvm$|-frandom-seed|-wrapper|-frecord-|-grecord-command)/;

/** Options that are followed by a path or begin it, and do nothing with it but open files. */
const pathOption =
  /^(?:-I|-iquote|-isystem|-idirafter|-include|-imacros|-isysroot|--sysroot|-o|-MF|-MT|-MQ|-dumpdir)$/;
const joinedPathOption =
  /^(?:-I|-iquote|-isystem|-idirafter|-isysroot|--sysroot=|-o|-MF|-MT|-MQ|-Wp,-MM?D,)(?=\/)/;

/** Words after which a word that begins with a slash is a source, not a value. */
const valuelessOption =
  /^(?:-c|-S|-[gOWfm][\w=,.+-]*|-std=[\w+]+|-pipe|-pthread|-pedantic(?:-errors)?|-w|-M[DMPG]+|-ansi|-nostdinc(?:\+\+)?|-[DUI].+|-isystem.+|-iquote.+|[^-].*)$/;

/** From a folder to how it shall be called. */
const prefixMap = /^-f(file|macro|debug)-prefix-map=([^=]+)=(.*)$/;

/** Of whatever option, also of the assembler's. */
const anyPrefixMap = /prefix-map[=, ]([^=]+)=/;

/**
 * Decides by the command and the environment alone: the root may stand only where it says which files are meant. What
 * the result says of it is looked at later (`RootTraces`).
 */
export function relocatabilityOf(action: Action, root: string): Relocatability {
  const [step, ...more] = action.steps;
  if (step === undefined || more.length > 0) return bound("the driver's own steps name it");
  const hashing = step.argv.find((word) => hashingOption.test(word));
  if (hashing !== undefined) return bound(`${hashing} makes the result depend on names`);
  for (const [index, word] of step.argv.entries()) {
    if (renamesRoot(word, root)) return bound(`${word} gives it a name that we do not know`);
    if (!word.includes(root)) continue;
    if (!isPathWord(word, step.argv[index - 1] ?? "", root)) return bound(`the argument ${word} names it`);
  }
  const variable = Object.entries(action.environment).find(
    ([name, value]) => name !== "PWD" && name !== "PATH" && value.includes(root),
  );
  if (variable !== undefined) return bound(`the variable ${variable[0]} names it`);
  return { kind: "free", relocation: new Relocation(root), ...rootNames(step.argv, root) };
}

/** What is left of the root's name when a folder above it is called otherwise cannot be searched for. */
function renamesRoot(word: string, root: string): boolean {
  const from = anyPrefixMap.exec(word)?.[1];
  return from !== undefined && from !== root && root.startsWith(from);
}

function isPathWord(word: string, before: string, root: string): boolean {
  const [, , from = "", to = ""] = prefixMap.exec(word) ?? [];
  if (from !== "") return beginsWithRoot(from, root) && !to.includes(root);
  const joined = joinedPathOption.exec(word)?.[0];
  if (joined !== undefined) return beginsWithRoot(word.slice(joined.length), root);
  return beginsWithRoot(word, root) && (pathOption.test(before) || valuelessOption.test(before));
}

/** Once, at the start, and as a whole component. */
function beginsWithRoot(path: string, root: string): boolean {
  return isBelow(path, root) && path.indexOf(root, 1) < 0;
}

/** Whether a source or an include folder is called by its absolute name, and whether a map takes the root out of `__FILE__`. */
function rootNames(argv: readonly string[], root: string): { namesRoot: boolean; mapsRoot: boolean } {
  const mapsRoot = argv.some((word) => {
    const [, kind, from] = prefixMap.exec(word) ?? [];
    return (kind === "file" || kind === "macro") && (from === root || from === `${root}/`);
  });
  return { namesRoot: argv.some((word) => word.includes(root) && !prefixMap.test(word)), mapsRoot };
}

function bound(reason: string): Relocatability {
  return { kind: "bound", reason };
}
