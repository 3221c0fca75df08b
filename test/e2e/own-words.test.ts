/** What homcc itself says during a build: rarely, to the right place, and never where a script would trip over it. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { chmod, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { runCommand } from "../support/command.ts";
import { runPty } from "../support/pty.ts";
import { homccProgram } from "../support/repository.ts";
import { meets } from "../support/requirements.ts";
import { startServer } from "../support/server.ts";
import { startSlowLink } from "../support/slow-link.ts";
import { unusedPort } from "../support/strange-server.ts";
import { createWorkplace, type Workplace } from "../support/workplace.ts";

/** Where no server can be reached. */
async function lonely(): Promise<Workplace> {
  const workplace = await createWorkplace({ hosts: `127.0.0.1:${await unusedPort()}/4`, forbidLocal: false });
  for (const name of ["a.c", "b.c", "c.c"]) await writeFile(join(workplace.project, name), "int value;\n");
  return workplace;
}

const threeFiles = "for f in a b c; do $HOMCC gcc -c $f.c || echo status $?; done";

async function say(
  workplace: Workplace,
  script: string,
  variables: Readonly<Record<string, string>> = {},
): Promise<string[]> {
  const environment = workplace.environment({ HOMCC: homccProgram, ...variables });
  const result = await runCommand(["/bin/sh", "-c", script], { cwd: workplace.project, environment });
  return (result.stdout + result.stderr).split("\n").slice(0, -1);
}

const warning = /^\[HOMCC-WARNING\] no server could be reached: .*\. Compiling locally instead!$/;

test("one warning a cause, for each shell", async (t) => {
  if (!meets(t, { program: "setsid" })) return;
  await using workplace = await lonely();
  const lines = await say(workplace, threeFiles);
  assert.equal(lines.length, 1, lines.join("\n"));
  assert.match(lines[0] ?? "", warning);
  assert.deepEqual(await say(workplace, threeFiles), []);
  const other = await say(workplace, `exec setsid -w sh -c '${threeFiles}'`);
  assert.equal(other.length, 1, other.join("\n"));
  assert.match(other[0] ?? "", warning);
  assert.equal((await workplace.jobs(9)).length, 9);
});

test("--verbose warns of every file", async () => {
  await using workplace = await lonely();
  const lines = await say(workplace, threeFiles, { HOMCC_VERBOSE: "1" });
  assert.equal(lines.length, 3);
  for (const line of lines) assert.match(line, warning);
});

test("an error is told with every file", async () => {
  await using workplace = await lonely();
  const lines = await say(workplace, threeFiles, { HOMCC_NO_LOCAL_COMPILATION: "1" });
  assert.equal(lines.filter((line) => line === "status 69").length, 3);
  assert.equal(lines.filter((line) => line.startsWith("[HOMCC-ERROR] no server")).length, 3);
});

test("a terminal has colours, a pipe has none", async (t) => {
  if (!meets(t, { program: "python3" })) return;
  await using workplace = await lonely();
  const screen = async (variables: Readonly<Record<string, string>>): Promise<string> => {
    const environment = workplace.environment({ HOMCC_VERBOSE: "1", ...variables });
    const terminal = { columns: 80, rows: 24, descriptors: "2" };
    const command = [homccProgram, "gcc", "-c", "a.c"];
    return visible((await runPty(command, { cwd: workplace.project, environment, ...terminal })).terminal);
  };
  const plain = /^\[HOMCC-WARNING\] no server [^<]*\n$/;
  assert.match(await screen({}), /^<ESC>\[33m\[HOMCC-WARNING\] no server [^<]*<ESC>\[0m\n$/);
  assert.match(await screen({ NO_COLOR: "1" }), plain);
  const [piped = ""] = await say(workplace, "$HOMCC gcc -c a.c", { HOMCC_VERBOSE: "1", TERM: "xterm" });
  assert.match(`${piped}\n`, plain);
  const [forced = ""] = await say(workplace, "$HOMCC gcc -c a.c", {
    HOMCC_VERBOSE: "1",
    CLICOLOR_FORCE: "1",
  });
  assert.match(visible(forced), /^<ESC>\[33m\[HOMCC/);
});

function visible(text: string): string {
  return text.replaceAll("\u001B", "<ESC>");
}

test("questions to the compiler are answered by the compiler alone", async () => {
  await using workplace = await lonely();
  const questions = ["--version", "-dumpversion", "-print-search-dirs", "-Wl,--version", "-###", "-v"];
  for (const question of questions) {
    const script = (compiler: string): string => `${compiler} gcc ${question} 2>&1`;
    const verbose = await say(workplace, script("$HOMCC"), { HOMCC_VERBOSE: "1" });
    // collect2 is named by the temporary files that it would use.
    const masked = (lines: readonly string[]): string => lines.join("\n").replaceAll(/\/cc\w{6}/g, "");
    assert.equal(masked(verbose), masked(await say(workplace, script(""))), question);
  }
});

/** Everything that could make homcc say something: dead hosts, bad lines and values, two sandboxes, --verbose. */
const troubles: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "dead hosts": {},
  "dead hosts, verbose": { HOMCC_VERBOSE: "1" },
  "local compilation forbidden": { HOMCC_NO_LOCAL_COMPILATION: "1" },
  "bad hosts and values": {
    HOMCC_HOSTS: "host:99999\nhost/x/y\n127.0.0.1:1/4",
    HOMCC_COMPILATION_REQUEST_TIMEOUT: "banana",
    HOMCC_LOG_LEVEL: "DEBUG",
  },
  "no hosts": { HOMCC_HOSTS: "", HOMCC_NO_LOCAL_COMPILATION: "1", HOMCC_VERBOSE: "1" },
  "two sandboxes at once": { HOMCC_SCHROOT_PROFILE: "one", HOMCC_DOCKER_CONTAINER: "two" },
};

/** Those in which every single call would have something to say. */
const seriousTroubles = {
  "dead hosts, verbose": troubles["dead hosts, verbose"],
  "bad values, two sandboxes": { ...troubles["bad hosts and values"], ...troubles["two sandboxes at once"] },
};

/** As autoconf writes them: any word of the compiler's on stderr is a failed check. */
const configure = `#!/bin/sh
check() {
  cat >conftest.c
  if $CC "$@" >conftest.out 2>conftest.err && ! test -s conftest.err && ! test -s conftest.out; then
    echo "$* yes"
  else
    echo "$* no"
  fi
  rm -rf conftest*
}
echo 'int main(void) { return 0; }' | check -o conftest conftest.c
echo 'int main(void) { return 0; }' | check -c conftest.c
echo 'int main(void) { return 0; }' | check -c -Wall -Wextra conftest.c
echo 'int main(void) { return 0; }' | check -c -fno-such-option conftest.c
echo 'int main(void) { return 0; }' | check -c -Wno-such-warning conftest.c
echo 'int main(void) { return undeclared(); }' | check -o conftest conftest.c
echo '#include <nowhere.h>' | check -c conftest.c
echo '#include <stdio.h>' | check -E -o conftest.i conftest.c
echo 'int main(void) { return 0; }' | check -o conftest conftest.c -lnowhere
$CC --version 2>&1 | head -n 1
$CC -E -dM -x c /dev/null 2>&1 | grep -c .
echo 'int x;' | $CC -E -x c - 2>&1 | grep -v '^#'
`;

for (const [name, variables] of Object.entries(troubles)) {
  test(`a configure script: ${name}`, async () => {
    await using workplace = await lonely();
    await writeFile(join(workplace.project, "configure"), configure);
    await chmod(join(workplace.project, "configure"), 0o755);
    const plain = await say(workplace, "CC=gcc ./configure");
    assert.equal(plain.filter((line) => line.endsWith(" yes")).length, 5, plain.join("\n"));
    assert.deepEqual(await say(workplace, 'CC="$HOMCC gcc" ./configure', variables), plain);
    assert.deepEqual(await untold(workplace), []);
  });
}

const cmakeLists = `cmake_minimum_required(VERSION 3.16)
project(p C CXX)
include(CheckCXXCompilerFlag)
include(CheckCCompilerFlag)
include(CheckIncludeFile)
include(CheckSymbolExists)
include(CheckTypeSize)
check_cxx_compiler_flag(-Wall HAS_WALL)
check_cxx_compiler_flag(-fno-such-option HAS_NONSENSE)
check_c_compiler_flag(-Wno-such-warning HAS_UNKNOWN)
check_c_compiler_flag(-Wno-such-warning=2 HAS_UNKNOWN_VALUE)
check_include_file(stdio.h HAS_STDIO)
check_include_file(nowhere.h HAS_NOWHERE)
check_symbol_exists(printf stdio.h HAS_PRINTF)
check_symbol_exists(print_nothing stdio.h HAS_NOTHING)
check_type_size(long LONG)
`;

for (const [name, variables] of Object.entries(seriousTroubles)) {
  test(`CMake's checks: ${name}`, async (t) => {
    if (!meets(t, { program: "cmake" }, { program: "ninja" })) return;
    await using workplace = await lonely();
    await writeFile(join(workplace.project, "CMakeLists.txt"), cmakeLists);
    const links = join(workplace.folder, "links");
    await mkdir(links);
    for (const compiler of ["gcc", "g++"]) await symlink(homccProgram, join(links, compiler));
    const findings = async (folder: string, compilers: string, more = {}): Promise<string[]> => {
      const printed = await say(
        workplace,
        `CC=${compilers}gcc CXX=${compilers}g++ cmake -G Ninja -S . -B ${folder}`,
        more,
      );
      const cache = await readFile(join(workplace.project, folder, "CMakeCache.txt"), "utf8").catch(() => "");
      assert.match(printed.join("\n"), /Generating done/);
      return cache.split("\n").filter((line) => /^(?:HAS_|HAVE_|LONG)/.test(line));
    };
    const plain = await findings("plain", "/usr/bin/");
    assert.ok(plain.length >= 8, plain.join("\n"));
    assert.deepEqual(await findings("distributed", `${links}/`, variables), plain);
    assert.deepEqual(await untold(workplace), []);
  });
}

const mesonBuild = `project('p', 'cpp')
cpp = meson.get_compiler('cpp')
foreach option : ['-Wall', '-fno-such-option', '-Wno-such-warning', '-Wl,--as-needed', '-Wl,--nonsense']
  message(option, cpp.has_argument(option), cpp.has_link_argument(option))
endforeach
message(cpp.has_header('cstdio'), cpp.has_header('nowhere'), cpp.sizeof('long'), cpp.has_function('printf'))
message(cpp.compiles('int x = 1;'), cpp.compiles('nonsense'), cpp.get_define('__GNUC__'))
`;

for (const [name, variables] of Object.entries(seriousTroubles)) {
  test(`Meson's checks: ${name}`, async (t) => {
    if (!meets(t, { program: "meson" }, { program: "ninja" })) return;
    await using workplace = await lonely();
    await writeFile(join(workplace.project, "meson.build"), mesonBuild);
    const findings = async (folder: string, compiler: string, more = {}): Promise<string[]> => {
      const printed = await say(workplace, `CXX="${compiler}" meson setup ${folder}`, more);
      return printed.filter((line) => line.startsWith("Message: "));
    };
    const plain = await findings("plain", "g++");
    assert.equal(plain.length, 7, plain.join("\n"));
    assert.deepEqual(await findings("distributed", "$HOMCC g++", variables), plain);
    assert.deepEqual(await untold(workplace), []);
  });
}

/** Jobs that were not kept at home without a word. */
async function untold(workplace: Workplace): Promise<string[]> {
  const silent = new Set(["configure-check", "no-compilation", "linking-only"]);
  const jobs = await workplace.jobs(1);
  return jobs.filter(({ outcome }) => !silent.has(outcome)).map((job) => JSON.stringify(job));
}

test("a slow upload is told at a terminal, in a line before the compiler's, and nowhere else", async (t) => {
  if (!meets(t, { program: "python3" })) return;
  await using server = await startServer();
  // Twelve seconds of it, which only ends soon enough to be told if 3 s are 3 s.
  await using link = await startSlowLink(server.port, 100_000);
  await using workplace = await createWorkplace({ hosts: `${link.address}/4` });
  const compile = [homccProgram, "gcc", "-c", "big.c", "-o", "big.o"];
  await bigSource(workplace, 1);
  const environment = workplace.environment();
  const terminal = { columns: 80, rows: 24, descriptors: "2" };
  const shown = await runPty(compile, { cwd: workplace.project, environment, ...terminal });
  assert.equal(shown.status, 0, shown.terminal);
  const line = `[HOMCC-INFO] Sending 2 files (1.2 MB) to ${link.address} …\n`;
  assert.equal(Buffer.from(shown.terminal, "latin1").toString().split("big.c")[0], line);
  assert.match(shown.terminal, /warning: .*said/);
  await bigSource(workplace, 2);
  const piped = await workplace.run(compile);
  assert.equal(piped.status, 0, piped.stderr);
  assert.doesNotMatch(piped.stderr, /HOMCC/);
  assert.match(piped.stderr, /warning: .*said/);
});

/** 600 kB of noise in a header: 1.2 MB as text, 6 s of the link's time compressed. */
async function bigSource({ project }: Workplace, number: number): Promise<void> {
  await writeFile(join(project, "big.c"), `#include "big.h"\n#warning said by number ${number}\n`);
  await writeFile(join(project, "big.h"), `// ${randomBytes(600_000).toString("hex")}\n`);
}
