/** Messages: the same words, colours, widths and languages as at home, and the same exit status. */
import { type Case, differentialSuite, type Step } from "../../support/differential.ts";
import type { TerminalOptions } from "../../support/pty.ts";

const warning = `#include "h.h"
int f(int unused, unsigned u) { int s = -1; if (u > s) return 1; return g(u); }
`;
const error = `#include "h.h"
struct S { int a; };
int f(struct S *p) { return p->b + undeclared; }
`;
const template = `#include <vector>
#include <string>
int f() { std::vector<std::string> v; v.push_back(3.5, nullptr); return v; }
`;
const header = '#include "deeper.h"\n#define g(x) (x) + missing_paren\n';
const files = {
  "warning.c": warning,
  "error.c": error,
  "template.cpp": template,
  "fine.c": "int x;\n",
  "h.h": header,
  "deeper.h": "#warning from below\nint missing_paren;\n",
};

const failing = "remote-error" as const;

const messages: readonly Case[] = [
  { name: "warnings", files, command: "$CC -Wall -Wextra -c warning.c -o a.o" },
  { name: "warnings with -Werror", files, command: "$CC -Wall -Werror -c warning.c -o a.o", expect: failing },
  {
    name: "-Werror=one",
    files,
    command: "$CC -Wall -Wextra -Werror=sign-compare -c warning.c",
    expect: failing,
  },
  { name: "no warnings with -w", files, command: "$CC -w -Wno-error=sign-compare -c warning.c" },
  { name: "compile errors", files, command: "$CC -c error.c -o a.o", expect: failing },
  { name: "a long template error", files, command: "$CXX -c template.cpp", expect: failing },
  {
    name: "a missing header",
    files: { "a.c": '#include "h.h"\n', "h.h": "#include <no/such.h>\n" },
    command: "$CC -c a.c",
    expect: failing,
  },
  {
    name: "a missing header in C++ and by a computed name",
    files: { "a.cpp": "#include NAME\n" },
    command: "$CXX -c a.cpp -DNAME='<none.hpp>'",
    expect: failing,
  },
  { name: "#error", files: { "a.c": "#error stop here\nint x;\n" }, command: "$CC -c a.c", expect: failing },
  {
    name: "static_assert",
    files: { "a.cpp": 'static_assert(sizeof(int) == 3, "wört");\n' },
    command: "$CXX -c a.cpp",
    expect: failing,
  },
  {
    name: "an error in the assembler",
    files: { "a.c": '__asm__("nonsense %eax");\n' },
    command: "$CC -pipe -c a.c",
    expect: failing,
  },
  { name: "a warning about an option", files, command: "$CC -c fine.c -Wl,-O1 -lm 2>&1" },
  { name: "an unknown option", files, command: "$CC -c fine.c -fno-made-up", expect: "local" },
  {
    name: "an unknown warning option",
    files,
    command: "$CC -c warning.c -Wno-made-up -Wmade-up-too",
    expect: { gcc: failing, clang: "remote" },
  },
  {
    name: "too many errors",
    files: { "a.c": "x;".repeat(60).replaceAll("x", "int f() { return y; } int g() { return y; }") },
    command: "$CC -fmax-errors=2 -c a.c",
    expect: failing,
    only: "gcc",
  },
  { name: "an empty source", files: { "a.c": "" }, command: "$CC -Wpedantic -c a.c" },
  {
    name: "-fdiagnostics-format=json",
    files,
    command: "$CC -fdiagnostics-format=json -Wall -c warning.c",
    only: "gcc",
  },
  {
    name: "-fdiagnostics-parseable-fixits",
    files,
    command: "$CC -fdiagnostics-parseable-fixits -c error.c",
    expect: failing,
  },
  { name: "-fmessage-length=40", files, command: "$CC -fmessage-length=40 -Wall -c warning.c" },
  {
    name: "-fno-diagnostics-show-caret",
    files,
    command: "$CC -fno-diagnostics-show-caret -Wall -c warning.c",
    only: "gcc",
  },
  { name: "-H", files, command: "$CC -H -w -c warning.c" },
  { name: "messages about absolute paths", files, command: "$CC -Wall -c $ROOT/warning.c -I$ROOT" },
  {
    name: "a note that names a system header",
    files: { "a.c": "#include <string.h>\nint f(void) { return strlen(3, 4); }\n" },
    command: "$CC -c a.c",
    expect: failing,
  },
  { name: "a stream of its own for each", files, command: "$CC -Wall -c warning.c 2>err >out" },
  { name: "both into one file", files, command: "$CC -Wall -c warning.c >both 2>&1" },
  { name: "standard error is closed", files, command: "$CC -c fine.c 2>&-" },
];

/** Every kind of terminal that a build has: an interactive shell, a pager for one stream, odd sizes. */
const terminals: readonly Pick<TerminalOptions, "columns" | "rows" | "descriptors">[] = [
  { columns: 80, rows: 24, descriptors: "012" },
  { columns: 80, rows: 24, descriptors: "2" },
  { columns: 80, rows: 24, descriptors: "12" },
  { columns: 80, rows: 24, descriptors: "1" },
  { columns: 80, rows: 24, descriptors: "0" },
  { columns: 40, rows: 10, descriptors: "012" },
  { columns: 40, rows: 10, descriptors: "2" },
  { columns: 213, rows: 50, descriptors: "012" },
];

const onTerminals: Case[] = terminals.flatMap((terminal) => {
  const where = `descriptors ${terminal.descriptors} on a terminal of ${terminal.columns} columns`;
  const environment = { TERM: "xterm-256color" };
  const run = (name: string, step: Step): Case => ({
    name: `${name}, ${where}`,
    files,
    terminal,
    environment,
    ...step,
  });
  return [
    run("warnings", { command: "$CC -Wall -Wextra -c warning.c" }),
    run("errors", { command: "$CC -c error.c", expect: failing }),
    run("a template error with -g", { command: "$CXX -g -c template.cpp", expect: failing }),
    run("an object with -g", { command: "$CC -g -c fine.c" }),
  ];
});

const terminal = { columns: 80, rows: 24, descriptors: "012" };
const settings: readonly Readonly<Record<string, string>>[] = [
  { TERM: "dumb" },
  { TERM: "" },
  { TERM: "xterm", GCC_COLORS: "error=01;31:warning=01;35" },
  { TERM: "xterm", GCC_COLORS: "" },
  { TERM: "xterm", COLUMNS: "50" },
  { TERM: "xterm-256color", GCC_URLS: "st", TERM_URLS: "no" },
  { TERM: "xterm-kitty", COLORTERM: "truecolor" },
  { NO_COLOR: "1", TERM: "xterm" },
  { CLICOLOR_FORCE: "1", TERM: "xterm" },
];
const coloured: Case[] = settings.flatMap((environment) => [
  {
    name: `a terminal with ${JSON.stringify(environment)}`,
    files,
    terminal,
    environment,
    command: "$CC -Wall -c warning.c",
  },
  {
    name: `no terminal with ${JSON.stringify(environment)}`,
    files,
    environment,
    command: "$CC -Wall -c warning.c",
  },
]);
const colourOptions: Case[] = [
  "-fdiagnostics-color=always",
  "-fdiagnostics-color=never",
  "-fdiagnostics-color=auto",
  "-fno-diagnostics-color",
].flatMap((option) => [
  { name: `${option} without a terminal`, files, command: `$CC ${option} -Wall -c warning.c` },
  {
    name: `${option} on a terminal`,
    files,
    terminal,
    environment: { TERM: "xterm" },
    command: `$CC ${option} -Wall -c warning.c`,
  },
]);

const german = { locale: "de_DE.UTF-8" } as const;
const locales: readonly Case[] = [
  {
    name: "German errors",
    files,
    environment: { LANG: "de_DE.UTF-8" },
    command: "$CC -c error.c",
    expect: failing,
    requires: [german],
  },
  {
    name: "German warnings by LC_ALL",
    files,
    environment: { LC_ALL: "de_DE.UTF-8", LANG: "C" },
    command: "$CC -Wall -c warning.c",
    requires: [german],
  },
  {
    name: "German warnings by LC_MESSAGES",
    files,
    environment: { LC_MESSAGES: "de_DE.UTF-8" },
    command: "$CC -Wall -c warning.c",
    requires: [german],
  },
  {
    name: "German by LANGUAGE",
    files,
    environment: { LANG: "de_DE.UTF-8", LANGUAGE: "fr:de" },
    command: "$CC -Wall -c warning.c",
    requires: [german],
  },
  {
    name: "German text on a terminal",
    files,
    terminal,
    environment: { LANG: "de_DE.UTF-8", TERM: "xterm" },
    command: "$CC -Wall -c warning.c",
    requires: [german],
  },
  {
    name: "German missing header",
    files: { "a.c": '#include "none.h"\n' },
    environment: { LC_ALL: "de_DE.UTF-8" },
    command: "$CC -c a.c",
    expect: failing,
    requires: [german],
  },
  { name: "the C locale", files, environment: { LC_ALL: "C" }, command: "$CC -c error.c", expect: failing },
  {
    name: "quotes of C.UTF-8",
    files,
    environment: { LC_ALL: "C.UTF-8" },
    command: "$CC -c error.c",
    expect: failing,
  },
  {
    name: "quotes of C.UTF-8 by LC_CTYPE",
    files,
    environment: { LC_CTYPE: "C.UTF-8" },
    command: "$CC -Wall -c warning.c",
  },
  {
    name: "a locale that nobody has",
    files,
    environment: { LC_ALL: "xx_YY.UTF-8" },
    command: "$CC -Wall -c warning.c",
  },
  {
    name: "identifiers and strings beyond ASCII",
    files: { "a.c": 'int größe = 1;\nconst char *s = "äöü";\nint f(void) { return grösse; }\n' },
    environment: { LC_ALL: "C.UTF-8" },
    command: "$CC -c a.c",
    expect: failing,
  },
];

differentialSuite([...messages, ...onTerminals, ...coloured, ...colourOptions, ...locales]);
