/** A client whose compiler the server does not have sends it, and gets the objects that it makes at home. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { createDebianRelease } from "../../support/debian-release.ts";
import { writeFiles } from "../../support/files.ts";
import { otherRelease } from "../../support/release-tree.ts";
import { homccProgram } from "../../support/repository.ts";
import { meets } from "../../support/requirements.ts";
import { startServer } from "../../support/server.ts";
import { createWorkplace } from "../../support/workplace.ts";

const meetsAll = (t: TestContext): boolean => meets(t, "root", "release tree", { program: "clang" });

const sources = {
  // Plugins, specs, the assembler, libLLVM, the C library's own headers and those of another C++ library.
  "a.c":
    '#include <stdio.h>\n#include <gnu/libc-version.h>\nint f(void) { puts(__VERSION__); return __GLIBC_MINOR__; }\n__asm__(".byte 1");\n',
  "a.cpp":
    "#include <string>\n#include <vector>\nstd::vector<std::string> f() { return {__VERSION__, std::to_string(__GLIBCXX__)}; }\n",
  "warns.c": "int f(int x) { int y; if (x) y = 1; return y; }\n",
  "wrong.cpp": "#include <string>\nint f() { return std::string(); }\n",
};

const commands: readonly (readonly string[])[] = [
  ["gcc", "-g", "-O2", "-c", "a.c"],
  ["g++", "-g", "-O2", "-c", "a.cpp"],
  ["g++", "-std=c++20", "-fsanitize=address", "-c", "a.cpp"],
  ["gcc", "-Wall", "-O2", "-c", "warns.c"],
  ["g++", "-c", "wrong.cpp"],
  ["gcc", "-flto", "-frandom-seed=1", "-c", "a.c"],
  ["clang", "-g", "-O2", "-c", "a.c"],
  ["clang++", "-g", "-O2", "-c", "a.cpp"],
  ["clang++", "-c", "wrong.cpp"],
];

const directions = [
  { clientIs: "the other release", serverIs: "here" },
  { clientIs: "here", serverIs: "the other release" },
] as const;

for (const { clientIs, serverIs } of directions) {
  test(`client: ${clientIs}, server: ${serverIs} (${otherRelease} is the other): shipped, and as at home`, async (t) => {
    if (!meetsAll(t)) return;
    await using release = await createDebianRelease();
    const prefix = serverIs === "here" ? {} : { prefix: release.prefix() };
    // Whatever reads one of the server's own headers does not compile.
    const poison =
      "find /usr/include /usr/lib/gcc /usr/lib/llvm* -name '*.h' -exec sh -c 'echo \"#error\" >\"$1\"' sh {} ';'";
    if (serverIs !== "here") await release.run(poison);
    await using server = await startServer(prefix);
    await using workplace = await createWorkplace({
      hosts: `${server.address}/4`,
      ...(clientIs === "here" ? {} : { prefix: (cwd) => release.prefix(cwd) }),
    });
    await writeFiles(workplace.project, sources);
    let jobs = 0;
    for (const words of commands) {
      const command = [...words, "-o", "a.o"];
      const object = join(workplace.project, "a.o");
      const plain = await workplace.run(command);
      const expected = await readFile(object).catch(() => undefined);
      const homcc = await workplace.run([homccProgram, ...command]);
      assert.deepEqual(homcc, plain, command.join(" "));
      assert.deepEqual(await readFile(object).catch(() => undefined), expected, command.join(" "));
      jobs += 1;
      const record = (await workplace.jobs(jobs)).at(-1);
      assert.equal(record?.host, server.address, JSON.stringify(record));
      assert.match(record?.outcome ?? "", /^(?:compiled-remotely|compile-error)$/);
    }
    // Modules of the server's C library do not fit the client's.
    const latin = ["gcc", "-finput-charset=latin1", "-c", "a.c", "-o", "a.o"];
    assert.equal((await workplace.run(latin)).status, 0);
    const expected = await readFile(join(workplace.project, "a.o"));
    const environment = workplace.environment({ HOMCC_NO_LOCAL_COMPILATION: undefined });
    const { status, stderr } = await workplace.run([homccProgram, ...latin], { environment });
    assert.equal(status, 0);
    assert.match(stderr, /-finput-charset=latin1: character sets are of the C library/);
    assert.deepEqual(await readFile(join(workplace.project, "a.o")), expected);
    // gcc, g++ and clang.
    assert.equal(server.log().split("laid out in").length - 1, 3, server.log());
  });
}
