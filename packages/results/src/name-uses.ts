import { setImmediate } from "node:timers/promises";
import type { CompilerFamily } from "@homcc/compiler/compilation";

/** Where a preprocessed source can see how its files are called. */
export type NameUses =
  | { readonly kind: "none" }
  /** `text` is the source without the statements that do. */
  | { readonly kind: "in-statements"; readonly text: Buffer }
  | { readonly kind: "elsewhere" };

/** What the compiler itself replaces by a name, and what is left of the preprocessor's in a pragma. */
const words = ["__builtin_FILE", "__builtin_source_location", "__FILE__", "__BASE_FILE__"];
/** clang calls a lambda or a nameless type after its place in the sources. */
const clangWords = [...words, "__PRETTY_FUNCTION__", "__FUNCSIG__"];

/**
 * Stands for a block that sees a name. A constant expression cannot have it, and code that is generated for it has an
 * undefined symbol: an object that is the same with it owes nothing to the block.
 */
const goneBlock = "void __homcc_gone(void);__homcc_gone();";
/** The same in place of the call of a builtin, which may be a default argument. */
const goneName = "(*(const char*const volatile*)0)";

/**
 * What `gcc -E` or `clang -E` made of a source, searched for the folder `root` and everything that yields a file's name.
 * Markers of lines do not count: what debug information, messages and symbols make of them is found in the result.
 */
export async function nameUsesIn(text: Buffer, root: string, family: CompilerFamily): Promise<NameUses> {
  const names = [root.slice(1), ...(family === "clang" ? clangWords : words)];
  if (!isSeen(text, names)) return { kind: "none" };
  const gone = await withoutBlocks(text.toString("latin1"), names);
  const rest = gone === undefined ? undefined : Buffer.from(gone, "latin1");
  // Whatever the lexer took the text for: nothing of a name may be left.
  return rest === undefined || isSeen(rest, names)
    ? { kind: "elsewhere" }
    : { kind: "in-statements", text: rest };
}

function isSeen(text: Buffer, names: readonly string[]): boolean {
  for (const name of names) {
    for (let at = text.indexOf(name); at >= 0; at = text.indexOf(name, at + 1)) {
      if (!isInMarker(text, at)) return true;
    }
  }
  return false;
}

function isInMarker(text: Buffer, at: number): boolean {
  const line = text.lastIndexOf("\n", at) + 1;
  return /^# \d/.test(text.toString("latin1", line, line + 3));
}

/** Comments are gone; a digit's `'` is no character; a raw string ends where it says. */
const token =
  /^[ \t]*#[^\n]*|(?:u8|[uUL])?R"([^()\\\s"]{0,16})\([^]*?\)\1"|"(?:[^"\\\n]|\\[^])*"|'(?:[^'\\\n]|\\[^])*'|\.?\d(?:'?[\w.]|(?<=[eEpP])[+-])*|[A-Za-z_$][\w$]*|[{}]/gm;

/** 20 ms of lexing. */
const tokensAtOnce = 100_000;

interface Block {
  readonly start: number;
  seesName: boolean;
}

/** `undefined` when a name is seen outside of all braces. */
async function withoutBlocks(text: string, names: readonly string[]): Promise<string | undefined> {
  const open: Block[] = [];
  const edits: Edit[] = [];
  let tokens = 0;
  for (const match of text.matchAll(token)) {
    const [found] = match;
    if (++tokens % tokensAtOnce === 0) await setImmediate();
    if (found === "{") open.push({ start: match.index, seesName: false });
    else if (found === "}") {
      const block = open.pop();
      if (block?.seesName === true) edits.push({ start: block.start + 1, end: match.index, text: goneBlock });
    } else if (names.some((name) => found.includes(name)) && !/^[ \t]*#/.test(found)) {
      const call = /^\s*\(\s*\)/y;
      call.lastIndex = 0;
      const rest = text.slice(match.index + found.length, match.index + found.length + 80);
      const called = found.startsWith("__builtin_") ? (call.exec(rest)?.[0] ?? "") : "";
      const block = open.at(-1);
      if (called !== "")
        edits.push({ start: match.index, end: match.index + found.length + called.length, text: goneName });
      else if (block === undefined) return undefined;
      else block.seesName = true;
    }
  }
  return edited(text, edits);
}

interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** Of edits in each other the outer one counts. Lines, their markers and pragmas stay where they are. */
function edited(text: string, edits: readonly Edit[]): string {
  let result = "";
  let at = 0;
  for (const { start, end, text: replacement } of edits.toSorted((one, other) => one.start - other.start)) {
    if (start < at) continue;
    const kept = text
      .slice(start, end)
      .split("\n")
      .map((line) => (/^[ \t]*#/.test(line) ? line : ""));
    result += text.slice(at, start) + replacement + kept.join("\n");
    at = end;
  }
  return result + text.slice(at);
}
