/** Dependency files in every spelling: made where the compiler runs, equal to the local ones. */
import { type Case, differentialSuite } from "../../support/differential.ts";
import type { Files } from "../../support/files.ts";

const files: Files = {
  "a.cpp": `#include "near.h"
#include <wide.h>
#include <stddef.h>
int f() { return NEAR + WIDE; }
`,
  "near.h": '#include "include/deeper.h"\n#define NEAR 1\n',
  "include/wide.h": "#pragma once\n#define WIDE 2\n",
  "include/deeper.h": "",
  "out/.keep": "",
};

const spellings = [
  "-MD",
  "-MMD",
  "-MD -MF a.dep",
  "-MD -MFa.dep",
  "-MMD -MP -MF out/a.dep -MT target",
  "-MMD -MP -MFout/a.dep -MTtarget",
  "-MD -MQ 'a $b' -MF a.dep",
  "-MD '-MQa $b' '-MTsecond one'",
  "-MD -MT one -MT two -MQ three",
  "-MMD -MP",
  "-MD -MMD",
  "-MMD -MD",
  "-MF a.dep -MD",
  "-MD -MF /dev/null",
  "-Wp,-MD,a.dep",
  "-Wp,-MMD,out/a.dep",
  "-Wp,-MD,a.dep -MT target",
  "--write-dependencies",
  "--write-user-dependencies",
];

const outputs = ["-o a.o", "-o out/b.o", "", "-o $ROOT/out/absolute.o", "-o noextension", "-o two.dots.obj"];

const spelled: Case[] = spellings.map((options) => ({
  name: options,
  files,
  command: `$CXX -Iinclude -c a.cpp -o a.o ${options}`,
  // A device is no file that can be replaced by a result.
  ...(options.includes("/dev/null") ? { expect: "local" as const } : {}),
}));

const placed: Case[] = outputs.flatMap((output) =>
  ["-MD", "-MMD -MP"].map((options) => ({
    name: `${options} with ${output === "" ? "no -o" : output}`,
    files,
    command: `$CXX -Iinclude -c a.cpp ${options} ${output}`,
  })),
);

const others: readonly Case[] = [
  // Only gcc hands the third word on as an option.
  {
    name: "-Wp,-MMD,a.dep,-MP",
    files,
    command: "$CXX -Iinclude -c a.cpp -Wp,-MMD,a.dep,-MP",
    expect: { gcc: "remote", clang: "local:local-option" },
  },
  {
    name: "-MT alone",
    files,
    command: "$CXX -Iinclude -c a.cpp -MT x",
    expect: { gcc: "remote-error", clang: "remote" },
  },
  { name: "-MT with characters of Make", files, command: "$CXX -Iinclude -c a.cpp -MD -MT 'a\\#b:c'" },
  { name: "-MMD with -S", files, command: "$CXX -Iinclude -S a.cpp -MMD" },
  {
    name: "-MD with -fsyntax-only",
    files,
    command: "$CXX -Iinclude -fsyntax-only a.cpp -MD -MF a.dep",
    expect: "remote",
  },
  {
    name: "a header that is asked for where the answer does not count",
    files: { ...files, "a.cpp": '#if 0 && __has_include("asked.h")\n#endif\nint a;\n', "asked.h": "" },
    command: "$CXX -c a.cpp -MD",
  },
  { name: "absolute source and folders", files, command: "$CXX -I$ROOT/include -c $ROOT/a.cpp -o a.o -MD" },
  { name: "system folders are left out by -MMD", files, command: "$CXX -isystem include -c a.cpp -MMD" },
  { name: "but not by -MD", files, command: "$CXX -isystem include -c a.cpp -MD" },
  {
    name: "#pragma GCC system_header",
    files: { ...files, "near.h": "#pragma GCC system_header\n#define NEAR 1\n" },
    command: "$CXX -Iinclude -c a.cpp -MMD",
  },
  {
    name: "names that Make must have quoted",
    files: {
      "a b$c#d.cpp": '#include "x y.h"\n#include "p%q.h"\n',
      "x y.h": "",
      "p%q.h": "",
    },
    command: "$CXX -c 'a b$c#d.cpp' -o 'o b$c#d.o' -MMD -MP",
  },
  {
    name: "-MG keeps it at home",
    files: { "a.c": '#include "generated.h"\n' },
    command: "$CC -c a.c -MD -MG",
    expect: "local",
  },
  { name: "-M with -c in one", files, command: "$CXX -Iinclude -M -MF a.dep a.cpp", expect: "local" },
  { name: "-MV for NMake", files, command: "$CXX -Iinclude -c a.cpp -MD -MV", only: "clang" },
  {
    name: "-MJ writes a compilation database",
    files,
    command: "$CXX -Iinclude -c a.cpp -MJ a.json",
    only: "clang",
    expect: "local",
  },
  {
    name: "a compile error with -MD",
    files: { ...files, "a.cpp": "#include <wide.h>\nint f( {\n" },
    command: "$CXX -Iinclude -c a.cpp -o a.o -MD",
    expect: "remote-error",
  },
  {
    name: "a missing header with -MMD",
    files: { "a.c": '#include "nowhere.h"\n' },
    command: "$CC -c a.c -o a.o -MMD -MP",
    expect: "remote-error",
  },
  {
    name: "a dependency file that exists is replaced",
    files: { ...files, "a.d": "old\n" },
    command: "$CXX -Iinclude -c a.cpp -o a.o -MMD",
  },
  {
    name: "-include in the dependency file",
    files,
    command: "$CXX -Iinclude -include include/deeper.h -c a.cpp -MMD",
  },
  {
    name: "DEPENDENCIES_OUTPUT",
    files,
    command: "$CXX -Iinclude -c a.cpp",
    environment: { DEPENDENCIES_OUTPUT: "env.d target" },
    expect: "local:local-environment",
  },
  {
    name: "SUNPRO_DEPENDENCIES",
    files,
    command: "$CXX -Iinclude -c a.cpp",
    environment: { SUNPRO_DEPENDENCIES: "env.d" },
    expect: "local:local-environment",
  },
  {
    name: "a header that is included twice by two names",
    files: {
      "a.c": '#include "h.h"\n#include "sub/../h.h"\n#include "./h.h"\n',
      "h.h": "int x;\n",
      "sub/.keep": "",
    },
    command: "$CC -c a.c -MMD -fno-common",
  },
];

differentialSuite([...spelled, ...placed, ...others]);
