/** Bytes of files in sources: the first job, an edit of the bytes, and answers that become others. */
import { type Case, differentialSuite } from "../../support/differential.ts";

const embed = (name: string, rest = ""): string =>
  `const unsigned char bytes[] = {\n#embed ${name}${rest}\n};\n`;
const asks = (name: string): string =>
  `#if __has_embed(${name}) == __STDC_EMBED_FOUND__\nint found = 1;\n#elif __has_embed(${name})\nint found = 2;\n#else\nint found = 0;\n#endif\n`;
const compile = "$CC-19 -std=c23 -g -c a.c";

interface Row extends Pick<Case, "name" | "files"> {
  readonly options?: string;
  /** What is done before the same compile again. */
  readonly changes: readonly string[];
}

const rows: readonly Row[] = [
  {
    name: "a file beside the source, edited",
    files: { "a.c": embed('"b.bin"'), "b.bin": "abc" },
    changes: ["printf xyzw > b.bin", "printf xyzv > b.bin"],
  },
  {
    name: "a file in a folder of --embed-dir, and then one before it",
    files: { "a.c": embed("<b.bin>"), "two/b.bin": "two", one: { directory: true } },
    options: "--embed-dir=one --embed-dir=two",
    changes: ["printf one > one/b.bin", "rm one/b.bin"],
  },
  {
    name: "a file in the working folder, and then one beside its header",
    files: { "a.c": '#include "sub/a.h"\n', "sub/a.h": embed('"b.bin"'), "b.bin": "working folder" },
    changes: ["printf beside > sub/b.bin"],
  },
  {
    name: "in a header that is a link, beside its target",
    files: {
      "a.c": '#include "sub/a.h"\n',
      "real/a.h": embed('"b.bin"'),
      "sub/a.h": { symlink: "../real/a.h" },
      "real/b.bin": "real",
      "sub/b.bin": "sub",
    },
    changes: ["printf other > real/b.bin"],
  },
  {
    name: "parameters",
    files: { "a.c": embed('"b.bin"', " limit(2) prefix(0, ) suffix(, 0) if_empty(1)"), "b.bin": "abc" },
    changes: ["printf '' > b.bin"],
  },
  {
    name: "a computed name with parameters",
    files: {
      "a.c": `#define NAME "b.bin"\n#define MOST limit(2)\n${embed("NAME", " MOST")}`,
      "b.bin": "abc",
    },
    changes: ["printf xyz > b.bin"],
  },
  {
    name: "a question about an absent file, which then is there, empty, and gone",
    files: { "a.c": asks('"b.bin"') },
    changes: ["printf abc > b.bin", "printf '' > b.bin", "rm b.bin"],
  },
  {
    name: "a question with parameters",
    files: { "a.c": asks('"b.bin" limit(0)'), "b.bin": "abc" },
    changes: ["rm b.bin"],
  },
  {
    name: "a question that decides about a header",
    files: { "a.c": '#if __has_embed("b.bin")\n#include "a.h"\n#endif\nint a;\n', "a.h": "int h;\n" },
    changes: ["printf abc > b.bin"],
  },
  {
    name: "a folder of that name is no file",
    files: { "a.c": asks('"b.bin"'), "b.bin": { directory: true } },
    changes: ["rmdir b.bin && printf abc > b.bin"],
  },
];

differentialSuite(
  rows.map(({ name, files, options = "", changes }) => ({
    name,
    files,
    only: "clang",
    requires: [{ program: "clang-19" }],
    command: `${compile} ${options}`,
    followedBy: changes.map((change) => ({ command: `${change} && ${compile} ${options}` })),
  })),
);
