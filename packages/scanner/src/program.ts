import { CannotScan } from "./cannot-scan.ts";
import type { Directive, DirectiveKind, DirectiveList } from "./directives.ts";
import type { Question } from "./language-facts.ts";
import type { MacroTable } from "./macro-table.ts";
import type { Token } from "./tokens.ts";

/** A directive with its names as numbers. */
export interface Step {
  readonly kind: DirectiveKind;
  readonly text: string;
  readonly symbol: number;
  readonly definition: number;
  /** Of a condition that does not hold, where its group's next branch is. */
  readonly otherwise: number;
  /** Of `elif`, `else` and their family, where the whole group ends. */
  readonly end: number;
}

/** Each is the same, and one of six directives is one. */
const endOfGroup: Step = { kind: "endif", text: "", symbol: -1, definition: -1, otherwise: -1, end: -1 };

/** A directive list made ready to be executed with one table of macros. */
export class Program {
  readonly steps: readonly Step[];
  /** Symbol of the include guard, or -1. */
  readonly guard: number;
  readonly counts: boolean;
  readonly uncertain: readonly number[];
  readonly hidden: string | undefined;
  readonly #table: MacroTable;

  constructor({ directives, guard, counts, uncertain, hidden }: DirectiveList, table: MacroTable) {
    const jumps = jumpsOf(directives);
    this.#table = table;
    this.steps = directives.map(({ kind, operand, definition }, index) =>
      kind === "endif"
        ? endOfGroup
        : {
            kind,
            text: operand,
            symbol: named.has(kind) ? table.symbol(operand) : -1,
            definition: kind === "define" ? table.definition(definition) : -1,
            otherwise: jumps.otherwise[index] ?? -1,
            end: jumps.end[index] ?? -1,
          },
    );
    this.guard = guard === undefined ? -1 : table.symbol(guard);
    this.counts = counts;
    this.uncertain = uncertain.map((macro) => table.symbol(macro));
    this.hidden = hidden;
  }

  /** The includes that could be the first of all, `"NAME` or `<NAME`: a precompiled header is used for no other. */
  firstIncludes(): string[] {
    const names: string[] = [];
    let depth = 0;
    for (const { kind, text } of this.steps) {
      if (kind.startsWith("if")) depth += 1;
      else if (kind === "endif") depth -= 1;
      if (!kind.startsWith("i") || kind.startsWith("if") || text.startsWith("~")) continue;
      names.push(text);
      if (depth === 0) break;
    }
    return names;
  }

  /** Of a condition or a computed operand. */
  tokensOf({ text }: Step): readonly Token[] {
    return this.#table.tokens(text);
  }
}

const named: ReadonlySet<DirectiveKind> = new Set<DirectiveKind>([
  "define",
  "undef",
  "ifdef",
  "ifndef",
  "elifdef",
  "elifndef",
]);

function jumpsOf(directives: readonly Directive[]): {
  readonly otherwise: Int32Array;
  readonly end: Int32Array;
} {
  const otherwise = new Int32Array(directives.length).fill(-1);
  const end = new Int32Array(directives.length).fill(-1);
  const groups: number[][] = [];
  for (const [index, { kind }] of directives.entries()) {
    if (kind === "if" || kind === "ifdef" || kind === "ifndef") {
      groups.push([index]);
      continue;
    }
    const isBranch = kind === "else" || kind.startsWith("elif");
    if (!isBranch && kind !== "endif") continue;
    const group = groups.at(-1);
    const last = group?.at(-1);
    if (group === undefined || last === undefined) throw new CannotScan("condition", `#${kind} without #if`);
    otherwise[last] = index;
    group.push(index);
    if (isBranch) continue;
    for (const branch of group) end[branch] = index;
    groups.pop();
  }
  if (groups.length > 0) throw new CannotScan("condition", "#if without #endif");
  return { otherwise, end };
}

const asked =
  /\b(\w*ha(?:s|ve)_(?:cpp_attribute|c_attribute|attribute|builtin|feature|extension|warning)\w*|__is_(?:identifier|target_\w+))\s*\(\s*((?:\w+::)?[A-Za-z_]\w*)\s*\)/gi;

/** Questions that a list may come to ask, also through macros of its own: asking all at once costs one process. */
export function likelyQuestions({ directives }: DirectiveList): Question[] {
  return directives.flatMap(({ kind, operand, definition }) => {
    const text = kind === "define" ? definition : kind === "if" || kind === "elif" ? operand : "";
    if (!/ha(s|ve)_|__is_/i.test(text)) return [];
    return [...text.matchAll(asked)].map(([, macro = "", word = ""]) => ({
      name: questionOf(macro),
      operand: word,
    }));
  });
}

/** `__GLIBC_HAS_ATTRIBUTE` forwards to `__has_attribute`. */
function questionOf(macro: string): string {
  const lower = macro.toLowerCase();
  if (lower.startsWith("__is_")) return macro;
  const what = /ha(?:s|ve)_(cpp_attribute|c_attribute|attribute|builtin|feature|extension|warning)/.exec(
    lower,
  )?.[1];
  return `__has_${what ?? ""}`;
}
