import type { CompilerFamily } from "./compilation.ts";

/** libiberty gives up at 2000 files; a command that needs more than this is run at home. */
const maxFiles = 200;
/** All words together: more than any execve takes. */
const maxTextLength = 4 * 1024 * 1024;

export type Expansion =
  | { readonly kind: "expanded"; readonly argv: readonly string[]; readonly changed: boolean }
  /** Too many or too large files: the compiler decides what it makes of them. */
  | { readonly kind: "excessive"; readonly file: string };

/** Text of a file, by a name relative to the working folder; `undefined` when it cannot be read. */
export type ReadText = (path: string) => Promise<string | undefined>;

/**
 * Replaces each `@file` by the words in that file, and those in it, as both drivers do before they look at anything
 * else; a file that cannot be read leaves the word as it is.
 */
export async function expandResponseFiles(
  argv: readonly string[],
  family: CompilerFamily,
  readText: ReadText,
): Promise<Expansion> {
  if (!argv.some(namesFile)) return { kind: "expanded", argv, changed: false };
  const expanded: string[] = [];
  // The words still to be looked at, last one first, each with the files it came out of.
  const pending = argv.map((text) => ({ text, within: [] as readonly string[] })).reverse();
  let files = 0;
  let length = 0;
  for (let word = pending.pop(); word !== undefined; word = pending.pop()) {
    const content = namesFile(word.text) ? await readText(word.text.slice(1)) : undefined;
    // With a NUL in it gcc reads less of it than clang, and no program can be given the rest.
    if (content === undefined || content.includes("\0")) {
      expanded.push(word.text);
      continue;
    }
    files += 1;
    length += content.length;
    if (files > maxFiles || length > maxTextLength || word.within.includes(word.text)) {
      return { kind: "excessive", file: word.text };
    }
    const within = [...word.within, word.text];
    pending.push(
      ...splitResponseFile(content, family)
        .map((text) => ({ text, within }))
        .reverse(),
    );
  }
  return { kind: "expanded", argv: expanded, changed: true };
}

function namesFile(word: string): boolean {
  return word.length > 1 && word.startsWith("@");
}

/**
 * GNU quoting: blanks separate, single and double quotes group, a backslash takes the next character literally, inside
 * quotes too. An empty pair of quotes is an empty word to gcc and nothing to clang, and a backslash at the very end is
 * nothing to gcc and a backslash to clang.
 */
export function splitResponseFile(content: string, family: CompilerFamily): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote: string | undefined;
  for (let at = 0; at < content.length; at += 1) {
    const character = content.charAt(at);
    if (character === "\\") {
      at += 1;
      word = (word ?? "") + (content.charAt(at) || (family === "clang" ? "\\" : ""));
    } else if (quote !== undefined) {
      if (character === quote) quote = undefined;
      else word = (word ?? "") + character;
    } else if (character === "'" || character === '"') {
      quote = character;
      word ??= "";
    } else if (/[ \t\r\n\v\f]/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else {
      word = (word ?? "") + character;
    }
  }
  if (word !== undefined) words.push(word);
  return family === "clang" ? words.filter((text) => text !== "") : words;
}
