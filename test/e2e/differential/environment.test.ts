/** Variables that travel, variables that keep a job at home, and variables that do not matter. */
import { type Case, differentialSuite } from "../../support/differential.ts";

const main = "#include <h.h>\nint value = VALUE;\n";
const define = (value: number): string => `#define VALUE ${value}\n`;
const plain = { "a.c": main, "a.cpp": main, "one/h.h": define(1), "two/h.h": define(2), "h.h": define(3) };

const searchPaths: readonly Case[] = [
  { name: "CPATH", files: plain, environment: { CPATH: "one" }, command: "$CC -c a.c -MD" },
  {
    name: "CPATH with two folders",
    files: plain,
    environment: { CPATH: "nowhere:two:one" },
    command: "$CC -c a.c -MD",
  },
  {
    name: "CPATH with an empty element: the working folder",
    files: plain,
    environment: { CPATH: ":one" },
    command: "$CC -c a.c -MD",
  },
  { name: "CPATH comes after -I", files: plain, environment: { CPATH: "one" }, command: "$CC -Itwo -c a.c" },
  { name: "absolute CPATH", files: plain, command: "export CPATH=$ROOT/two; $CC -g -c a.c" },
  {
    name: "C_INCLUDE_PATH",
    files: plain,
    environment: { C_INCLUDE_PATH: "one" },
    command: "$CC -c a.c -MMD",
  },
  {
    name: "C_INCLUDE_PATH does not count for C++",
    files: plain,
    environment: { C_INCLUDE_PATH: "one" },
    command: "$CXX -c a.cpp",
    expect: "remote-error",
  },
  {
    name: "CPLUS_INCLUDE_PATH",
    files: plain,
    environment: { CPLUS_INCLUDE_PATH: "two" },
    command: "$CXX -c a.cpp -MMD",
  },
  {
    name: "CPLUS_INCLUDE_PATH does not count for C",
    files: plain,
    environment: { CPLUS_INCLUDE_PATH: "two" },
    command: "$CC -c a.c",
    expect: "remote-error",
  },
  { name: "an empty CPATH", files: plain, environment: { CPATH: "" }, command: "$CC -Ione -c a.c" },
];

/** clang 14 knows SOURCE_DATE_EPOCH not yet: its __TIME__ differs between any two runs. */
const times: readonly Case[] = [
  {
    name: "TZ and __TIMESTAMP__",
    files: { "a.c": "const char *t = __TIMESTAMP__;\n" },
    environment: { TZ: "Asia/Tokyo" },
    command: "$CC -c a.c",
  },
  {
    name: "a POSIX TZ",
    files: { "a.c": "const char *t = __TIMESTAMP__;\n" },
    environment: { TZ: "XYZ+5:30" },
    command: "$CC -c a.c",
  },
  {
    name: "TZ by file",
    files: { "a.c": "const char *t = __TIMESTAMP__;\n" },
    environment: { TZ: ":America/New_York" },
    command: "$CC -c a.c",
  },
  {
    name: "an empty TZ",
    files: { "a.c": "const char *t = __TIMESTAMP__;\n" },
    environment: { TZ: "" },
    command: "$CC -c a.c",
  },
  {
    name: "SOURCE_DATE_EPOCH",
    files: { "a.c": "const char *t = __DATE__ __TIME__;\n" },
    environment: { SOURCE_DATE_EPOCH: "86400", TZ: "Asia/Tokyo" },
    command: "$CC -c a.c -Wdate-time",
    only: "gcc",
  },
  {
    name: "a bad SOURCE_DATE_EPOCH",
    files: { "a.c": "const char *t = __DATE__;\n" },
    environment: { SOURCE_DATE_EPOCH: "soon" },
    command: "$CC -c a.c",
    expect: "remote-error",
    only: "gcc",
  },
];

const atHome: Case[] = [
  { COMPILER_PATH: "/usr/bin" },
  { GCC_EXEC_PREFIX: "/usr/lib/gcc/" },
  { DEPENDENCIES_OUTPUT: "deps" },
  { SUNPRO_DEPENDENCIES: "deps" },
].map((environment) => ({
  name: `${Object.keys(environment).join()} keeps it at home`,
  files: plain,
  environment,
  command: "$CC -Ione -c a.c",
  expect: "local:local-environment",
  // clang knows none but COMPILER_PATH.
  only: "gcc",
}));

const others: readonly Case[] = [
  {
    name: "CCC_OVERRIDE_OPTIONS",
    files: plain,
    environment: { CCC_OVERRIDE_OPTIONS: "# +-g" },
    command: "$CC -Ione -c a.c",
    only: "clang",
    expect: "local:local-environment",
  },
  {
    name: "variables that no compiler reads",
    files: plain,
    environment: { CFLAGS: "-g", FOO: "bar", LD_LIBRARY_PATH: "/nowhere" },
    command: "$CC -Ione -c a.c",
  },
  { name: "no HOME", files: plain, command: "unset HOME; $CC -Ione -c a.c -g" },
  {
    name: "GCC_COLORS without a terminal",
    files: { "a.c": "int f(void) { }\n" },
    environment: { GCC_COLORS: "warning=01;35" },
    command: "$CC -Wall -c a.c -fdiagnostics-color=always",
  },
  {
    name: "a TMPDIR that does not exist",
    files: plain,
    environment: { TMPDIR: "/nowhere" },
    command: "$CC -Ione -c a.c",
  },
  {
    name: "a variable with a line end and an equals sign",
    files: plain,
    environment: { ODD: "a\nb=c" },
    command: "$CC -Ione -c a.c",
  },
];

differentialSuite([...searchPaths, ...times, ...atHome, ...others]);
