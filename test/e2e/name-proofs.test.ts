/**
 * Sources that look at how they are called, by absolute names: once a server has had an idle moment, a developer in another
 * folder gets the object if it is the same there. Each object is compared with the plain compiler's.
 */
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { after, before, test } from "node:test";
import { compileTwice, createDevelopers } from "../support/developers.ts";
import { writeFiles } from "../support/files.ts";
import { meets } from "../support/requirements.ts";
import { type Server, startServer } from "../support/server.ts";
import { waitFor } from "../support/wait-for.ts";
import type { Workplace } from "../support/workplace.ts";

interface Case {
  readonly name: string;
  readonly source: string;
  readonly header?: string;
  /** Default: of gcc and of clang. */
  readonly compilers?: readonly string[];
  readonly options?: string;
}

const cxx = { compilers: ["g++", "clang++"] };

/** The other developer gets the object. */
const same: readonly Case[] = [
  { name: "a comment", source: "/* __FILE__ */ int a;\n" },
  {
    name: "an assertion that is taken out",
    source: '#include "a.h"\nint f(int x) { CHECK(x); return x; }\n',
    header:
      '#ifdef NDEBUG\n#define CHECK(x) ((void)0)\n#else\n#define CHECK(x) fail(__FILE__ ": " #x)\n#endif\n',
    options: "-DNDEBUG",
  },
  {
    name: "a function that nobody calls",
    source: '#include "a.h"\nint f(int x) { return x; }\n',
    header:
      "void note(const char *, int);\nstatic inline void trace(void) { note(__FILE__, sizeof __FILE__); }\n",
    options: "-O1",
  },
  {
    name: "a function that nobody calls, with a constant of the name",
    source: '#include "a.h"\nint f(int x) { return x; }\n',
    header:
      "void note(const char *, int);\nconstexpr const char *base(const char *s, int n) { while (n > 0 && s[n - 1] != '/') --n; return s + n; }\n" +
      "inline void trace() { do { constexpr const char *b = base(__FILE__, sizeof(__FILE__) - 1); note(b, 1'000); } while (0); }\n",
    ...cxx,
  },
  {
    name: "a template that is never used",
    source: "void note(const char *);\ntemplate<class T> void trace(T) { note(__FILE__); }\nint x;\n",
    ...cxx,
  },
  {
    name: "a branch that is never taken",
    source: 'int puts(const char *);\nint f(int x) { if (0) { puts(__FILE__ "}\\"{"); } return x; }\n',
    options: "-O1",
  },
  {
    name: "a default argument that is not used",
    source:
      "struct L { static constexpr L at(int n = __builtin_LINE(), const char *s = __builtin_FILE()) { return L{s, n}; }\n" +
      "  const char *s; int n; };\nvoid f(L = L::at());\nint x = __builtin_LINE();\n",
    ...cxx,
  },
  { name: "the last part of the name", source: "const char *f(void) { return __FILE_NAME__; }\n" },
  {
    name: "a source that includes itself",
    source: "#ifndef SELF\n#define SELF\n#include __FILE__\n#else\nint x = __INCLUDE_LEVEL__;\n#endif\n",
  },
  {
    name: "another file in the assembler",
    source: '/* __FILE__ */ __asm__(".section .rodata\\n.incbin \\"include/a.h\\"\\n.text");\n',
    header: "any bytes\n",
  },
];

const hash =
  "constexpr unsigned hash(const char *s) { unsigned h = 1; for (; *s; ++s) h = h * 31 + (unsigned char)*s; return h; }\n";

/** Everybody has an object of his own. */
const different: readonly Case[] = [
  { name: "a length", source: "unsigned long n = sizeof(__FILE__);\n" },
  { name: "the length of the first name", source: "unsigned long n = sizeof(__BASE_FILE__);\n" },
  { name: "a length in an enumeration", source: "enum { N = sizeof(__FILE__) };\nint n = N;\n" },
  {
    name: "an array as long as a name",
    source: "static char a[sizeof __FILE__];\nchar *f(void) { return a; }\n",
  },
  {
    name: "a length that an optimiser finds",
    source: "unsigned long strlen(const char *);\nunsigned long f(void) { return strlen(__FILE__); }\n",
    options: "-O2",
  },
  {
    name: "a length by way of an inline function",
    source: '#include "a.h"\nint f(void) { return length() + 1; }\n',
    header: "static inline int length(void) { return sizeof __FILE__; }\n",
    options: "-O2",
  },
  {
    name: "a length in a statement that is an expression",
    source: "int f(void) { return ({ int n = sizeof __FILE__; n; }); }\n",
    options: "-O2",
  },
  {
    name: "a name as a string's name",
    source: "#define S(x) #x\n#define T(x) S(x)\nint n = sizeof T(__FILE__);\n",
  },
  { name: "a name by way of the command", source: "int n = sizeof NAME;\n", options: "-DNAME=__FILE__" },
  {
    name: "a piece of a name in an instruction",
    source: "int f(const char *s) { return __builtin_memcmp(s, __FILE__ + 1, 8) == 0; }\n",
    compilers: ["gcc"],
    options: "-O2",
  },
  {
    name: "a hash",
    source: `${hash}unsigned n = [] { constexpr unsigned h = hash(__FILE__); return h; }();\n`,
    ...cxx,
    options: "-std=c++17",
  },
  {
    name: "one bit of a hash",
    source: `${hash}constexpr unsigned h = hash(__FILE__) % 2;\nunsigned n = h;\n`,
    ...cxx,
  },
  {
    name: "whether a folder is in the name",
    source:
      "constexpr bool has(const char *s, char c) { for (; *s; ++s) if (*s == c) return true; return false; }\n" +
      "template<bool> int f() { return 1; }\ntemplate<> int f<true>() { return 2; }\nint n = f<has(__FILE__, '%')>();\n",
    ...cxx,
  },
  {
    name: "a default argument",
    source:
      "constexpr unsigned long n(const char *s = __builtin_FILE()) { return __builtin_strlen(s); }\nunsigned long x = n();\n",
    ...cxx,
  },
  {
    name: "a source location",
    source:
      "#include <source_location>\nconstexpr auto n = __builtin_strlen(std::source_location::current().file_name());\nunsigned long x = n;\n",
    compilers: ["g++"],
    options: "-std=c++20",
  },
  {
    name: "the name of a lambda's type",
    source:
      "template<class T> constexpr unsigned long n(T) { return sizeof(__PRETTY_FUNCTION__); }\nunsigned long x = n([] {});\n",
    compilers: ["clang++"],
    options: "-std=c++17",
  },
  {
    name: "the name of a lambda's type under a prefix map",
    source:
      "template<class T> constexpr unsigned long n(T) { return sizeof(__PRETTY_FUNCTION__); }\nunsigned long x = n([] {});\n",
    compilers: ["clang++"],
    options: "-std=c++17 -ffile-prefix-map=ROOT=.",
  },
];

let server: Server;
let developers: readonly [Workplace, Workplace];
before(async () => {
  server = await startServer({ resultCache: true, options: ["--log-level", "DEBUG"] });
  developers = await createDevelopers(server);
});
after(async () => {
  for (const developer of developers ?? []) await developer[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

const all = [
  ...same.map((item) => ({ ...item, other: "kept" })),
  ...different.map((item) => ({ ...item, other: "compiled" })),
];
for (const [
  index,
  { name, source, header = "", compilers = ["gcc", "clang"], options = "-O0", other },
] of all.entries()) {
  for (const compiler of compilers) {
    test(`${name}, ${compiler}: ${other}`, async (t) => {
      if (!meets(t, { program: compiler })) return;
      const [first, second] = developers;
      const path = `src/a.${compiler.endsWith("++") ? "cpp" : "c"}`;
      for (const { project } of developers) {
        await rm(project, { recursive: true });
        await writeFiles(project, { [path]: source, "include/a.h": header });
      }
      const item = { command: `${compiler} ${options} -c ROOT/${path} -IROOT/include -o a.o` };
      const salt = `-DSALT_${index}`;
      const looked = lookedInto();
      assert.equal(await compileTwice(first, item, salt), "compiled", "the first");
      await waitFor("the result to be looked into", () => lookedInto() > looked);
      assert.equal(await compileTwice(second, item, salt), other, "the other developer");
      assert.equal(await compileTwice(first, item, salt), "kept", "the first again");
    });
  }
}

function lookedInto(): number {
  return server.log().split("a.o: looked into: ").length - 1;
}
