import { extractIncludeNames } from "@homcc/compiler/include-names";
import { decodeDirectiveList, encodeDirectiveList } from "@homcc/scanner/directive-codec";
import { DirectiveLexer } from "@homcc/scanner/directive-lexer";
import type { DirectiveList, LexicalDialect } from "@homcc/scanner/directives";
import { type FuzzTarget, must, mustEqual } from "../target.ts";

const dialects: readonly LexicalDialect[] = [
  { trigraphs: false, digraphs: true, rawStrings: true, lineComments: true },
  { trigraphs: true, digraphs: true, rawStrings: false, lineComments: false },
];
const words = [
  "#include",
  "<a.h>",
  '"b.h"',
  "\n",
  " ",
  "#",
  "define X",
  "X",
  "#if",
  "__has_include(<c.h>)",
  "/*",
  "*/",
  "//",
  '"',
  "'",
  'R"(',
  ')"',
  "\\\n",
  "%:",
  "??=",
  "#pragma once",
  '_Pragma("push_macro(\\"X\\")")',
  "import",
  "module",
  ".incbin",
  "\r",
  "#endif",
  "#else",
  "__COUNTER__",
];

/** Text of headers, to both lexers. */
export const directives: FuzzTarget = {
  name: "directives",
  property:
    "a header has the same directives in whatever steps it is read, they are kept as they are, and both lexers see its includes",
  dictionary: words,
  generate: (random) =>
    Buffer.from(random.many(1, 30, () => random.pick(words)).join(random.pick(["", " ", "\n"]))),
  check(input) {
    for (const dialect of dialects) {
      const list = lexed(input, dialect, Infinity);
      for (const step of [1, 7, 100]) mustEqual(`in steps of ${step}`, lexed(input, dialect, step), list);
      mustEqual("kept", decodeDirectiveList(encodeDirectiveList(list)), list);
    }
    const kept = decodeDirectiveList(input);
    if (kept !== undefined) mustEqual("decoded", decodeDirectiveList(encodeDirectiveList(kept)), kept);
    const { names } = extractIncludeNames(input);
    const [dialect] = dialects;
    if (dialect === undefined) return;
    const { directives: seen } = lexed(input, dialect, Infinity);
    // The scanner refuses what it does not understand, and looks no further.
    if (seen.some(({ kind }) => kind === "opaque")) return;
    for (const { kind, operand } of seen) {
      if (!/^(?:include|include_next|import)$/.test(kind) || !/^["<][\w./]+$/.test(operand)) continue;
      const isSeen = names.some((one) => one.kind === kind && one.name === operand.slice(1));
      must(isSeen, `#${kind} ${operand} is seen by the scanner's lexer only`);
    }
  },
};

function lexed(source: Uint8Array, dialect: LexicalDialect, stepBytes: number): DirectiveList {
  const lexer = new DirectiveLexer(Uint8Array.from(source), dialect);
  while (lexer.advance(stepBytes)) continue;
  return lexer.list();
}
