/** Commands that compile and link, and commands with several sources: compiles go out, linking stays at home. */
import { type Case, differentialSuite } from "../../support/differential.ts";

const files = {
  "main.cpp": '#include "part.h"\n#include <cstdio>\nint main() { std::printf("%d\\n", part()); }\n',
  "part.cpp": '#include "part.h"\nint part() { return 42; }\n',
  "part.h": "int part();\n",
  "bad.cpp": "int f( {\n",
  "lonely.c": "int alone(void);\nint main(void) { return alone(); }\n",
  "c.c": "int c_part(void) { return 1; }\n",
  "out/.keep": "",
};
const build = "$CXX -g -c part.cpp -o part.o";
/** Names of temporary objects, of which every compiler invents new ones. */
const mask = /\/tmp\/[\w./-]+\.o\b|\(\.text\+0x[0-9a-f]+\)/g;

const cases: readonly Case[] = [
  { name: "one source to a.out", files, command: "$CC main.cpp part.cpp -lstdc++ && ./a.out", mask },
  { name: "two sources to a program", files, command: "$CXX main.cpp part.cpp -o app && ./app" },
  { name: "two sources with -g -O2", files, command: "$CXX -g -O2 main.cpp part.cpp -o app && ./app" },
  {
    name: "a source and an object",
    files,
    command: `${build} && $CXX main.cpp part.o -o app && ./app`,
    calls: 2,
  },
  {
    name: "a source and an archive",
    files,
    command: `${build} && ar rcD libpart.a part.o && $CXX main.cpp -L. -lpart -o app && ./app`,
    calls: 2,
  },
  {
    name: "only objects",
    files,
    command: "$CXX part.o -shared -o libpart.so",
    prepare: "g++ -fPIC -c part.cpp",
    expect: "local:linking-only",
  },
  { name: "a shared library from sources", files, command: "$CXX -fPIC -shared part.cpp -o libpart.so" },
  { name: "two sources with -c", files, command: "$CXX -g -c main.cpp part.cpp" },
  { name: "C and C++ in one command", files, command: "$CXX -c c.c part.cpp -Wno-deprecated" },
  { name: "two sources with -S", files, command: "$CXX -S main.cpp part.cpp" },
  {
    name: "sources of two folders with -c",
    files: { ...files, "out/other.cpp": "int other;\n" },
    command: "$CXX -g -c out/other.cpp part.cpp",
  },
  {
    name: "two sources of one base name",
    files: { ...files, "out/part.cpp": "int other;\n" },
    command: "$CXX main.cpp part.cpp out/part.cpp -o app && ./app",
    expect: { gcc: "local", clang: "local" },
  },
  {
    name: "-MMD while linking",
    files,
    command: "$CXX -MMD main.cpp part.cpp -o app",
    expect: "local:local-option",
  },
  {
    name: "-MD with one source while linking",
    files,
    command: "$CXX -MMD part.cpp -shared -fPIC -o out/p.so",
    expect: "local:local-option",
  },
  {
    name: "split DWARF while linking",
    files,
    command: "$CXX -g -gsplit-dwarf main.cpp part.cpp -o out/app",
    mask,
    expect: "local:local-option",
  },
  {
    name: "coverage while linking",
    files,
    command: "$CXX --coverage -frandom-seed=1 main.cpp part.cpp -o app",
    mask,
    expect: "local:local-option",
  },
  {
    name: "the second source has an error",
    files,
    command: "$CXX part.cpp bad.cpp -o app",
    expect: "remote-error",
  },
  {
    name: "the first source has an error, -c",
    files,
    command: "$CXX -c bad.cpp part.cpp",
    expect: "remote-error",
  },
  { name: "an undefined reference", files, command: "$CC lonely.c -o app", mask, expect: "remote" },
  { name: "a missing library", files, command: "$CXX part.cpp main.cpp -lnot-there -o app", mask },
  { name: "a missing second source", files, command: "$CXX part.cpp none.cpp -o app", expect: "local" },
  { name: "-flto", files, command: "$CXX -flto -frandom-seed=1 -O2 main.cpp part.cpp -o app && ./app", mask },
  {
    name: "-o with two sources and -c",
    files,
    command: "$CXX -c main.cpp part.cpp -o both.o",
    expect: "local",
  },
  {
    name: "linker options",
    files,
    command: "$CXX -Wl,--as-needed -Wl,-rpath,/opt -pthread -s main.cpp part.cpp -o app && ./app",
  },
  {
    name: "warnings of both sources in order",
    files: { "a.c": "int f(void) { }\n", "b.c": "int g(void) { }\n" },
    command: "$CC -Wall -shared -fPIC a.c b.c -o ab.so",
  },
];

differentialSuite(cases);
