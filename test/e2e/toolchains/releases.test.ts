/** Two Debian releases with different compilers: client and server, either way round. */
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
  "a.c": "#include <stdio.h>\nvoid f(void) { puts(__VERSION__); }\n",
  "a.cpp": "#include <string>\nstd::string f() { return __VERSION__; }\n",
};

const directions = [
  { clientIs: "the other release", serverIs: "here" },
  { clientIs: "here", serverIs: "the other release" },
] as const;

for (const { clientIs, serverIs } of directions) {
  test(`client: ${clientIs}, server: ${serverIs} (${otherRelease} is the other): refused with both toolchains named, and right`, async (t) => {
    if (!meetsAll(t)) return;
    await using release = await createDebianRelease();
    const isOther = { client: clientIs !== "here", server: serverIs !== "here" };
    await using server = await startServer({
      options: ["--toolchains", "own"],
      ...(isOther.server ? { prefix: release.prefix() } : {}),
    });
    await using workplace = await createWorkplace({
      hosts: `${server.address}/4`,
      forbidLocal: false,
      ...(isOther.client ? { prefix: (cwd) => release.prefix(cwd) } : {}),
    });
    await writeFiles(workplace.project, sources);
    let jobs = 0;
    for (const [compiler, source] of [
      ["gcc", "a.c"],
      ["g++", "a.cpp"],
      ["clang", "a.c"],
      ["clang++", "a.cpp"],
    ] as const) {
      const command = [compiler, "-g", "-O2", "-c", source, "-o", "a.o"];
      const object = join(workplace.project, "a.o");
      assert.equal((await workplace.run(command)).stderr, "");
      const expected = await readFile(object);
      const homcc = await workplace.run([homccProgram, ...command]);
      assert.equal(homcc.status, 0, homcc.stderr);
      assert.ok(expected.equals(await readFile(object)), command.join(" "));
      jobs += 1;
      const record = (await workplace.jobs(jobs)).at(-1);
      assert.equal(record?.outcome, "toolchain-differs");
      assert.match(record?.detail ?? "", /; here .* \([0-9a-f]{12}\), there (none|.* \([0-9a-f]{12}\))$/);
    }
  });
}
