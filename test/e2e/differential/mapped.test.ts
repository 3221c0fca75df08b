/**
 * A server that allows no namespaces maps paths into a private folder: what it sends back is what a local compile gives,
 * and what it could not give compiles at home.
 */
import { type Case, differentialSuite, type Expectation } from "../../support/differential.ts";
import type { Files } from "../../support/files.ts";

const files: Files = {
  "src/a.c": '#include "h.h"\n#include <limits.h>\nint value(int x) { return x + VALUE + INT_MAX % 7; }\n',
  "src/a.cpp":
    '#include "h.h"\n#include <string>\n#include <vector>\nstd::vector<std::string> f(int n) { return std::vector<std::string>(n, __FILE__); }\n',
  "include/h.h": "#pragma once\n#define VALUE 3\n#if __has_include(<absent.h>)\n#error\n#endif\n",
  "warned.c": "int f(int unused) { int x; return x; }\n",
  "list.txt": "fun:f\n",
};

const c = "$CC -Iinclude -c src/a.c -o a.o";
const cxx = "$CXX -I$ROOT/include -c $ROOT/src/a.cpp -o $ROOT/a.o";

const sent: readonly string[] = [
  c,
  cxx,
  `${c} -O2 -g`,
  `${cxx} -O2 -g`,
  `${c} -MMD -MP`,
  `${cxx} -MD -MT a.o -MF a.dep`,
  "$CC -isystem include -iquote $ROOT/include -c src/a.c -S -fverbose-asm -o a.s",
  "$CC -include include/h.h -c src/a.c -Wall -Iinclude",
  "cd src && $CC -I../include -c a.c -o ../b.o -g",
  "$CC -Wall -Wextra -O2 -c $ROOT/warned.c -o w.o",
];

/** The verdict is the local compiler's, with a warning of homcc's before its words. */
const atHome: readonly (readonly [command: string, expect: Expectation])[] = [
  [`${c} -march=native`, "local:mapped-unsupported"],
  [`${c} --coverage -frandom-seed=1`, "local:mapped-unsupported"],
  [`${cxx} -g -gsplit-dwarf`, "local:mapped-unsupported"],
  [`${cxx} -g -fdebug-prefix-map=$ROOT=/x`, "local:mapped-unsupported"],
];

const cases: Case[] = [
  ...sent.map((command): Case => ({ name: command, files, command })),
  ...atHome.map(([command, expect]): Case => ({
    name: `at home: ${command}`,
    files,
    command: `${command} 2>messages; grep -v HOMCC- messages >&2; rm messages`,
    expect,
  })),
  {
    name: "a compile error is tried at home before it counts",
    files: { "a.c": "int f( {\n" },
    command: "$CC -c a.c 2>messages; status=$?; grep -v HOMCC- messages >&2; rm messages; exit $status",
    expect: "local:mapped-failure",
  },
];

differentialSuite(cases, { forbidLocal: false, server: { executor: "mapped" } });
