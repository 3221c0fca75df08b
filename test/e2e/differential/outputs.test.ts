/** Every output that the option table declares and the compiler really writes comes back, equal. */
import { type Case, differentialSuite, type Family } from "../../support/differential.ts";

const files = {
  "a.cpp": `#include "h.h"
static int depth(int n) { return n < 2 ? n : depth(n - 1) + depth(n - 2); }
int f(int n) { int big[VALUE]; for (int i = 0; i < VALUE; ++i) big[i] = depth(i); return big[n]; }
`,
  "a.c": '#include "h.h"\nint g(int n) { char big[VALUE]; big[0] = n; return big[0] + VALUE; }\n',
  "h.h": "#define VALUE 64\n",
  "out/.keep": "",
};

const options: readonly (readonly [options: string, only?: Family])[] = [
  ["-g -gsplit-dwarf"],
  ["-gsplit-dwarf"],
  ["-gsplit-dwarf -g3"],
  ["-gsplit-dwarf=single -g", "clang"],
  ["-g -gsplit-dwarf -gdwarf-5 -gz"],
  ["-gsplit-dwarf -g0"],
  ["--coverage -frandom-seed=a"],
  ["-ftest-coverage -frandom-seed=a"],
  ["-fprofile-arcs -ftest-coverage -frandom-seed=a -g"],
  ["-fprofile-abs-path --coverage -frandom-seed=a", "gcc"],
  ["-fprofile-dir=data --coverage -frandom-seed=a", "gcc"],
  ["-fstack-usage"],
  ["-fcallgraph-info", "gcc"],
  ["-fcallgraph-info=su,da", "gcc"],
  ["-fstack-usage -g -gsplit-dwarf --coverage -frandom-seed=a -MMD -MP"],
  ["--serialize-diagnostics a.dia -Wall", "clang"],
  ["-serialize-diagnostics out/a.dia", "clang"],
  ["-fsave-optimization-record", "clang"],
  ["-emit-llvm", "clang"],
];

const placements = ["-o a.o", "", "-o out/b.o", "-o $ROOT/out/c.o", "-o out/two.dots.obj", "-o out/none"];

const table: Case[] = options.flatMap(([flags, only]) =>
  placements.map((placement) => ({
    name: `${flags}, ${placement === "" ? "no -o" : placement}`,
    files,
    command: `$CXX -O1 -c a.cpp ${flags} ${placement}`,
    ...(only === undefined ? {} : { only }),
  })),
);

const others: readonly Case[] = [
  {
    name: "-S with -fstack-usage and split DWARF",
    files,
    command: "$CC -S a.c -g -gsplit-dwarf -fstack-usage -o out/a.s",
  },
  {
    name: "-ftime-trace",
    files,
    command: "$CXX -c a.cpp -o out/a.o -ftime-trace",
    only: "clang",
    ignoreContent: ["out/a.json"],
  },
  {
    name: "-ftime-trace without -o",
    files,
    command: "$CXX -c a.cpp -ftime-trace",
    only: "clang",
    ignoreContent: ["a.json"],
  },
  {
    name: "listing of the assembler on standard output",
    files,
    command: "$CC -pipe -c a.c -Wa,-al=/dev/stdout -o a.o | cat",
    only: "gcc",
    expect: "local",
  },
  {
    name: "listing of the assembler in a file",
    files,
    command: "$CC -pipe -c a.c -Wa,-al=a.lst -o a.o",
    only: "gcc",
  },
  {
    name: "old extra outputs are replaced",
    files: { ...files, "a.dwo": "old", "a.su": "old" },
    command: "$CC -c a.c -g -gsplit-dwarf -fstack-usage -o a.o",
  },
  {
    name: "outputs of a failing compile are what the compiler leaves",
    files: { "a.c": "int f( {\n", "a.o": "old", "a.d": "old", "a.dwo": "old", "a.su": "old" },
    command: "$CC -c a.c -g -gsplit-dwarf -fstack-usage -MD -o a.o",
    expect: "remote-error",
  },
  {
    name: "a compile that fails leaves an old object as the compiler does",
    files: { "a.cpp": "#error no\n", "a.o": "old" },
    command: "$CXX -c a.cpp -o a.o",
    expect: "remote-error",
  },
];

differentialSuite([...table, ...others]);
