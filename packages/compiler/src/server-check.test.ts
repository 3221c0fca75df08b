import assert from "node:assert/strict";
import { test } from "node:test";
import { checkAction, isInsideNamespaceRoot, type CheckedAction, type ServerLimits } from "./server-check.ts";

const limits: ServerLimits = {
  isToolchainProgram: (path) => path.startsWith("/usr/bin/") || path.startsWith("/usr/lib/gcc/"),
  isInsideRoot: isInsideNamespaceRoot,
};

function action(program: string, ...words: string[]): CheckedAction {
  return {
    steps: [{ program, argv: [program, ...words] }],
    cwd: "/work",
    environment: { PATH: "/bin" },
    outputs: [{ path: "/work/a.o", exists: false }],
  };
}

const gcc = (...words: string[]) => checkAction(action("/usr/bin/gcc", ...words), "gcc", limits);
const cc1 = (...words: string[]) =>
  checkAction(action("/usr/lib/gcc/x86_64-linux-gnu/12/cc1plus", ...words), "gcc", limits);
const clang = (...words: string[]) => checkAction(action("/usr/bin/clang", ...words), "clang", limits);

test("ordinary commands are run", () => {
  assert.equal(gcc("-c", "a.c", "-I", "../inc", "-o", "a.o", "-Wall", "-MD", "-MF", "a.d"), undefined);
  assert.equal(gcc("-c", "a.c", "-DA=@b", "-Wa,--defsym,x@y=1", "-I./@types"), undefined);
  assert.equal(clang("-c", "/abs/a.c", "-Xclang", "-fno-pch-timestamp", "-o", "/dev/null"), undefined);
});

test("names that are relative to a folder of the machine are outside too", () => {
  const asked = action("/usr/lib/gcc/x86_64-linux-gnu/12/cc1", "self/environ");
  assert.match(checkAction({ ...asked, cwd: "/proc" }, "gcc", limits) ?? "", /outside/);
  const root = action("/usr/lib/gcc/x86_64-linux-gnu/12/cc1", "proc/self/environ");
  assert.match(checkAction({ ...root, cwd: "/" }, "gcc", limits) ?? "", /outside/);
});

test("what loads, starts or reads outside is refused, however it is written", () => {
  for (const words of [
    ["-fplugin=x.so"],
    ["-fplugin-arg-x-y"],
    ["-wrapper", "sh,-c"],
    ["-specs=f"],
    ["--specs", "f"],
    ["-B", "tools"],
    ["-Btools"],
    ["--prefix=tools"],
    ["-fmodule-mapper=|sh"],
    ["-iplugindir=d"],
    ["@more"],
    ["-I", "@more"],
    ["-Wp,@more"],
    ["-Wp,-MF,@more"],
    ["-Wa,-g,@more"],
    ["-Xassembler", "@more"],
    ["--unheard-of"],
    ["-E"],
    ["-"],
    ["-o"],
    ["/proc/self/environ"],
    ["-I", "../proc/self"],
    ["-include", "/sys/x"],
    ["-Wa,/dev/kmsg"],
    ["-Wa,-al=/proc/x"],
  ]) {
    assert.notEqual(gcc("-c", "a.c", ...words), undefined, words.join(" "));
  }
  for (const words of [
    ["-Xclang", "-load", "-Xclang", "x.so"],
    ["-Xclang=-load", "-Xclang=x.so"],
    ["-mllvm", "-load=x.so"],
    ["-Xclang", "-mllvm", "-Xclang", "-load=x.so"],
    ["-fpass-plugin=x.so"],
    ["--config", "f"],
    ["-Xclang", "-add-plugin", "-Xclang", "p"],
    ["-ccc-gcc-name", "x"],
  ]) {
    assert.notEqual(clang("-c", "a.c", ...words), undefined, words.join(" "));
  }
});

test("only compilers run, and only to make objects", () => {
  for (const program of ["ld-linux-x86-64.so.2", "ld", "collect2", "sh", "perl", "gcc-ar", "x-gcc.sh"])
    assert.notEqual(
      checkAction(action(`/usr/bin/${program}`, "-c", "a.c"), "gcc", limits),
      undefined,
      program,
    );
  assert.notEqual(gcc("a.c"), undefined);
  assert.notEqual(gcc("a.c", "-Wl,-plugin,./x.so"), undefined);
  assert.notEqual(gcc("a.c", "-shared", "-o", "a.so"), undefined);
  assert.equal(gcc("-S", "a.c"), undefined);
  assert.equal(gcc("-fsyntax-only", "a.c"), undefined);
  const objcopy = (...words: string[]) => checkAction(action("/usr/bin/objcopy", ...words), "gcc", limits);
  assert.equal(objcopy("--extract-dwo", "a.o", "a.dwo"), undefined);
  assert.equal(objcopy("--strip-dwo", "a.o"), undefined);
  for (const words of [
    ["--plugin=./x.so"],
    ["--plugin", "./x.so"],
    ["--add-section=a=/proc/self/mem"],
    ["-O", "elf64"],
  ])
    assert.notEqual(objcopy(...words, "a.o"), undefined, words.join(" "));
});

test("programs, variables and outputs are checked too", () => {
  assert.notEqual(checkAction(action("/bin/sh", "-c", "a.c"), "gcc", limits), undefined);
  const good = action("/usr/bin/gcc", "-c", "a.c");
  assert.notEqual(checkAction({ ...good, environment: { COMPILER_PATH: "/x" } }, "gcc", limits), undefined);
  assert.notEqual(checkAction({ ...good, environment: { LD_PRELOAD: "/x" } }, "gcc", limits), undefined);
  const outputs = [{ path: "/proc/x", exists: false }];
  assert.notEqual(checkAction({ ...good, outputs }, "gcc", limits), undefined);
});

test("a replayed expansion has the compilers' own options", () => {
  assert.equal(
    cc1("-quiet", "-v", "-imultiarch", "x86_64-linux-gnu", "a.c", "-dumpbase", "a.c", "-o", "/tmp/x.s"),
    undefined,
  );
  assert.notEqual(cc1("-quiet", "a.c", "-fplugin=./x.so"), undefined);
  assert.notEqual(cc1("-quiet", "a.c", "-iplugindir=x"), undefined);
  assert.notEqual(cc1("-quiet", "/proc/1/environ"), undefined);
  assert.equal(
    clang("-cc1", "-emit-obj", "-resource-dir", "/usr/lib/clang/14", "-o", "a.o", "a.c"),
    undefined,
  );
  assert.notEqual(clang("-cc1", "-emit-obj", "-load", "x.so", "a.c"), undefined);
  assert.notEqual(clang("-cc1", "-emit-obj", "-mllvm", "--load-pass-plugin=x.so", "a.c"), undefined);
});
