import type { NameForm } from "./include-names.ts";

const assemblerDirectives = [".incbin", ".include"] as const;
/** Longer than any path. */
const maxOperandBytes = 4200;

/** Whether looking into the strings of a file is worth it. */
export function mentionsAssembler(text: Buffer): boolean {
  return assemblerDirectives.some((name) => text.includes(name, 0, "latin1"));
}

/**
 * Operands of `.incbin` and `.include` in a string literal, each byte as a character: the assembler opens them, and no compiler
 * lists them. An empty one is written elsewhere. What no assembler could read (`".include"` in a table of names) is none.
 */
export function* assemblerOperands(
  text: Buffer,
  start: number,
  end: number,
  raw: boolean,
): Generator<string> {
  for (const name of assemblerDirectives) {
    for (
      let at = text.indexOf(name, start, "latin1");
      at >= 0 && at < end;
      at = text.indexOf(name, at + 1, "latin1")
    ) {
      const before = text.toString("latin1", Math.max(0, at - 2), at);
      const rest = text.toString("latin1", at + name.length, at + name.length + maxOperandBytes);
      const isStatement = /(^|["(\s;:]|\\[nt])$/.test(before);
      const isDirective = /^(\s|\\t|\\"|"\s*[\w"])/.test(rest);
      if (!isStatement || !isDirective) continue;
      yield (raw ? /^\s*"([^"\n]+)"/ : /^(?:\s|\\t)*\\"([^"\\]+)\\"/).exec(rest)?.[1] ?? "";
    }
  }
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
