import assert from "node:assert/strict";
import { test } from "node:test";
import { configureCheck, looksLikeConfigureCheck } from "./configure-check.ts";

const checks: readonly [string, string][] = [
  ["/src", "gcc -c -g -O2 conftest.c"],
  ["/src", "gcc -o conftest -g conftest.c -lm"],
  ["/src", "gcc -c -o out/conftest2.o conftest.c"],
  ["/src", "gcc conftest.o conftstm.o -o conftest"],
  ["/src", "gcc -c sub/conftest.c -o sub/conftest.o"],
  ["/build/CMakeFiles/CMakeTmp", "cc -Wfoo -o CMakeFiles/cmTC_1.dir/src.c.o -c src.c"],
  ["/build/CMakeFiles/CMakeScratch/TryCompile-aB3", "cc -c src.cxx"],
  ["/build", "cc -c /build/CMakeFiles/CMakeScratch/TryCompile-aB3/src.cxx"],
  ["/build/CMakeFiles/3.25.1/CompilerIdCXX", "c++ CMakeCXXCompilerId.cpp"],
  ["/build/meson-private/tmpx1", "cc testfile.c -o out"],
  ["/tmp/tmp7fmsz70o", "cc /tmp/tmp7fmsz70o/testfile.cpp -E -P"],
  ["/build", "cc meson-private/sanitycheckc.c -o meson-private/sanitycheckc.exe"],
];
for (const [cwd, command] of checks) {
  test(`a check: ${command} in ${cwd}`, () => {
    const argv = command.split(" ");
    assert.equal(looksLikeConfigureCheck(argv, cwd), true);
    assert.notEqual(
      configureCheck(
        argv.slice(1).filter((word) => /\.(?:c|cpp|cxx|o)$/.test(word)),
        cwd,
      ),
      undefined,
    );
  });
}

const builds: readonly [string, string][] = [
  ["/src", "gcc -c main.c -o main.o"],
  ["/src/conftest", "gcc -c main.c"],
  ["/src", "gcc -c conftests.d/main.c -o my-conftest.o"],
  ["/src/CMakeFiles", "gcc -c -I CMakeFiles/app.dir main.c"],
  ["/src", "gcc -c confession.c"],
  ["/src", "gcc -c testfile.c"],
];
for (const [cwd, command] of builds) {
  test(`no check: ${command} in ${cwd}`, () =>
    assert.equal(looksLikeConfigureCheck(command.split(" "), cwd), false));
}

test("what comes from standard input is a check once the words are understood", () => {
  assert.equal(configureCheck(["-"], "/src"), "-");
  assert.equal(configureCheck(["/dev/null"], "/src"), "/dev/null");
  assert.equal(configureCheck(["main.c"], "/src"), undefined);
});
