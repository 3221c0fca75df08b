import type { NameForm } from "./include-names.ts";

/**
 * `.incbin` and `.include` of inline assembly, which hide in strings: the assembler opens their operand, and no
 * compiler lists it. A mention that no assembler could read (`".include"` in a table, `x.include(y)`) is none.
 */
export function extractAssemblerFiles(text: Buffer): {
  readonly files: readonly string[];
  readonly unknown: boolean;
} {
  const files = new Set<string>();
  let unknown = false;
  for (const name of [".incbin", ".include"]) {
    for (let at = text.indexOf(name, 0, "latin1"); at >= 0; at = text.indexOf(name, at + 1, "latin1")) {
      const rest = text.toString("latin1", at + name.length, at + name.length + maxOperandBytes);
      const before = text.toString("latin1", Math.max(0, at - 2), at);
      const operand = operandOf(before, rest);
      if (operand === undefined) continue;
      if (operand === "") unknown = true;
      else files.add(Buffer.from(operand, "latin1").toString("utf8"));
    }
  }
  return { files: [...files], unknown };
}

/** Longer than any path. */
const maxOperandBytes = 4200;

/** `undefined` for no directive, an empty text for an operand that is written elsewhere. */
function operandOf(before: string, rest: string): string | undefined {
  const isStatement = /(^|["\s;:]|\\[nt])$/.test(before);
  const isDirective = /^(\s|\\t|\\"|"\s*[\w"])/.test(rest);
  if (!isStatement || !isDirective) return undefined;
  return /^(?:\s|\\t)*\\"([^"\\]+)\\"/.exec(rest)?.[1] ?? /^[ \t]*"([^"\n]+)"/.exec(rest)?.[1] ?? "";
}

/** `_Pragma("GCC dependency \"x.h\"")`; the directive itself is read where directives are. */
export function pragmaDependencies(text: Buffer): { readonly form: NameForm; readonly name: string }[] {
  if (!text.includes("_Pragma", 0, "latin1") || !text.includes("dependency", 0, "latin1")) return [];
  const found = text
    .toString("utf8")
    .matchAll(/_Pragma\s*\(\s*"\s*GCC\s+dependency\s+(?:\\"([^"\\]+)\\"|<([^>]+)>)/g);
  return [...found].map(([, quoted, angled]) =>
    quoted === undefined ? { form: "angle", name: angled ?? "" } : { form: "quote", name: quoted },
  );
}
