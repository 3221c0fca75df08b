/**
 * The ways in which a compiler may lie on a client, one after the other on the same machine with the same agent: compiled on a server
 * without it, or at home for a reason, always the object of a plain compile.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { OutcomeName } from "@homcc/observability/outcomes";
import { createDebianRelease } from "../../support/debian-release.ts";
import { writeFiles } from "../../support/files.ts";
import { homccProgram } from "../../support/repository.ts";
import { meets } from "../../support/requirements.ts";
import { startServer } from "../../support/server.ts";
import { createWorkplace } from "../../support/workplace.ts";

interface Way {
  readonly what: string;
  /** As root on the client, before; stays for the rows behind. */
  readonly setUp?: string;
  readonly command: string;
  readonly variables?: Readonly<Record<string, string>>;
  readonly outcome?: OutcomeName;
}

const sources = {
  "a.cpp":
    "#include <stddef.h>\n#include <string>\n#ifdef ADDED\nint added = ADDED;\n#endif\nstd::string f() { return __FILE__ __VERSION__; }\n",
  "a.c":
    "#include <stddef.h>\n#ifdef ADDED\nint added = ADDED;\n#endif\nsize_t f(void) { return sizeof __VERSION__; }\n",
};

const script = (path: string, text: string): string =>
  `mkdir -p "$(dirname ${path})"; printf '#!/bin/sh\\n%s\\n' '${text}' > ${path}; chmod +x ${path}`;
/** Both find their folders from where they are. */
const relocateGcc = `mkdir -p /opt/x/bin /opt/x/lib /opt/x/libexec
cp -a /usr/lib/gcc /opt/x/lib/
cp -a /usr/libexec/gcc /opt/x/libexec/ 2>/dev/null || :
cp -a /usr/bin/*-linux-gnu-gcc-[0-9]* /usr/bin/*-linux-gnu-g++-[0-9]* /opt/x/bin/
ln -s "$(basename /opt/x/bin/*-g++-*)" /opt/x/bin/g++
mkdir -p "/opt/x/include/$(gcc -dumpmachine)"
cp -a /usr/include/c++ /opt/x/include/
cp -a "/usr/include/$(gcc -dumpmachine)/c++" "/opt/x/include/$(gcc -dumpmachine)/"
echo >> "$(ls /opt/x/lib/gcc/*/*/include/float.h)"`;
const relocateClang = 'cp -a "$(dirname "$(dirname "$(realpath /usr/bin/clang)")")" /opt/llvm';
const systemPath = "/usr/local/bin:/usr/bin:/bin";

const waysOfGcc: readonly Way[] = [
  { what: "a link of the alternatives", command: "cc -c a.c -o a.o" },
  { what: "gcc in another folder", setUp: relocateGcc, command: "/opt/x/bin/g++ -c a.cpp -o a.o" },
  {
    what: "found by PATH",
    command: "g++ -g -c a.cpp -o a.o",
    variables: { PATH: `/opt/x/bin:${systemPath}` },
  },
  {
    what: "a link to a link to it",
    setUp: "ln -s ../../../opt/x/bin/g++ /usr/local/bin/one; ln -s one /usr/local/bin/two-g++",
    command: "two-g++ -O2 -c a.cpp -o a.o",
  },
  {
    what: "a wrapper that adds options",
    setUp: script("/opt/w/my-gcc", 'exec g++ -O2 -DADDED=1 "$@"'),
    command: "/opt/w/my-gcc -c a.cpp -o a.o",
  },
  {
    what: "the wrapper changes",
    setUp: script("/opt/w/my-gcc", 'exec /opt/x/bin/g++ -DADDED=2 "$@"'),
    command: "/opt/w/my-gcc -c a.cpp -o a.o",
  },
  {
    what: "specs appear",
    setUp: `d=/usr/$(gcc -dumpmachine)/lib; mkdir -p $d; gcc -dumpspecs | sed '/^[*]cc1plus:/{n;s/$/ -DADDED=3/}' > $d/specs`,
    command: "g++ -c a.cpp -o a.o",
  },
  {
    what: "an assembler earlier in PATH",
    setUp: "cp /usr/bin/as /usr/local/bin/as",
    command: "g++ -c a.cpp -o a.o",
  },
  {
    what: "a script as assembler",
    setUp: script("/opt/s/as", 'exec /usr/bin/as "$@"'),
    command: "g++ -c a.cpp -o a.o",
    variables: { PATH: `/opt/s:${systemPath}` },
    outcome: "toolchain-unknown",
  },
  {
    what: "programs named by a variable",
    command: "g++ -c a.cpp -o a.o",
    variables: { COMPILER_PATH: "/opt/s" },
    outcome: "local-environment",
  },
  {
    what: "programs named by an option",
    command: "g++ -B/opt/s/ -c a.cpp -o a.o",
    outcome: "local-option",
  },
  {
    what: "LD_LIBRARY_PATH without a library of the compiler",
    command: "g++ -c a.cpp -o a.o",
    variables: { LD_LIBRARY_PATH: "/opt/x/lib:" },
  },
  {
    what: "LD_LIBRARY_PATH with one",
    setUp: "mkdir /opt/l; cp /lib/*/libz.so.1 /opt/l/",
    command: "g++ -c a.cpp -o a.o",
    variables: { LD_LIBRARY_PATH: "/opt/l" },
    outcome: "toolchain-unknown",
  },
  {
    what: "another library in every program",
    command: "g++ -c a.cpp -o a.o",
    variables: { LD_PRELOAD: "/opt/l/libz.so.1" },
    outcome: "local-environment",
  },
  {
    what: "a library that only LD_LIBRARY_PATH leads to",
    setUp: "mkdir /opt/isl; mv /usr/lib/*/libisl.so.* /opt/isl/",
    command: "g++ -c a.cpp -o a.o",
    variables: { LD_LIBRARY_PATH: "/opt/isl" },
    outcome: "toolchain-unknown",
  },
];

const waysOfClang: readonly Way[] = [
  { what: "clang", command: "clang++ -g -c a.cpp -o a.o" },
  {
    what: "clang in another folder",
    setUp: relocateClang,
    command: "/opt/llvm/bin/clang++ -g -c a.cpp -o a.o",
  },
  {
    what: "a file of options appears beside clang",
    setUp: "echo -DADDED=4 > /opt/llvm/bin/clang++.cfg",
    command: "/opt/llvm/bin/clang++ -c a.cpp -o a.o",
  },
  {
    what: "other options in it",
    setUp: "echo -DADDED=5 > /opt/llvm/bin/clang++.cfg",
    command: "/opt/llvm/bin/clang++ -c a.cpp -o a.o",
  },
  {
    what: "clang told which gcc it belongs to",
    command: 'clang --gcc-install-dir="$(dirname "$(gcc -print-libgcc-file-name)")" -c a.c -o a.o',
  },
];

for (const [family, ways] of [
  ["gcc", waysOfGcc],
  ["clang", waysOfClang],
] as const) {
  test(`each way in which ${family} may lie on a client`, async (t) => {
    if (!meets(t, "root", "release tree")) return;
    await using release = await createDebianRelease();
    // As the client was at first: what differs is sent.
    await using away = await createDebianRelease();
    await using server = await startServer({ prefix: away.prefix() });
    await using workplace = await createWorkplace({
      hosts: `${server.address}/4`,
      forbidLocal: false,
      prefix: (cwd) => release.prefix(cwd),
    });
    await writeFiles(workplace.project, sources);
    const object = join(workplace.project, "a.o");
    let jobs = 0;
    for (const { what, setUp, command, variables, outcome = "compiled-remotely" } of ways) {
      if (setUp !== undefined) await release.run(setUp);
      // Where it may compile at home, a toolchain would be sent in the background.
      const forbidden = outcome === "compiled-remotely" ? { HOMCC_NO_LOCAL_COMPILATION: "1" } : {};
      const environment = workplace.environment({ ...variables, ...forbidden });
      const plain = await workplace.run(["sh", "-c", command], { environment });
      assert.equal(plain.status, 0, plain.stderr);
      const expected = await readFile(object);
      const homcc = await workplace.run(["sh", "-c", `exec ${homccProgram} ${command}`], { environment });
      assert.equal(homcc.status, 0, `${what}: ${homcc.stderr}`);
      assert.equal(homcc.stderr.replaceAll(/^\[HOMCC-.*\n/gm, ""), plain.stderr, what);
      assert.ok(expected.equals(await readFile(object)), what);
      jobs += 1;
      const record = (await workplace.jobs(jobs)).at(-1);
      assert.equal(record?.outcome, outcome, `${what}: ${record?.detail}`);
    }
  });
}
