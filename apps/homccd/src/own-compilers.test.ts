import assert from "node:assert/strict";
import { chmod, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { runProgram } from "@homcc/compiler/run-program";
import { OwnCompilers } from "./own-compilers.ts";

test("each compiler of PATH once, with its names, first line and target; what only is called like one is left out", async () => {
  const folder = await mkdtemp(join(tmpdir(), "homccd-compilers-"));
  try {
    for (const [name, program] of Object.entries({ "old-gcc-12": "gcc", gcc: "gcc", "g++": "g++" }))
      await symlink(`/usr/bin/${program}`, join(folder, name));
    const impostor = join(folder, "my-clang");
    await writeFile(impostor, "#!/bin/sh\necho clang version 99\n");
    await chmod(impostor, 0o755);
    await writeFile(join(folder, "cc"), "no program");
    const said = async (name: string, word: string): Promise<string> => {
      const run = {
        args: [word],
        cwd: "/",
        environment: { LC_ALL: "C", PATH: "/usr/bin" },
        timeLimitMs: 60_000,
      };
      return (await runProgram(join(folder, name), run)).stdout.toString().split("\n", 1)[0] ?? "";
    };
    const compilers = new OwnCompilers(folder);
    const expected = [
      {
        names: ["gcc", "old-gcc-12"],
        version: await said("gcc", "--version"),
        target: await said("gcc", "-dumpmachine"),
      },
      { names: ["g++"], version: await said("g++", "--version"), target: await said("g++", "-dumpmachine") },
    ];
    assert.match(expected[0]?.target ?? "", /-linux-/);
    assert.deepEqual(await compilers.list(), expected);
    await rm(join(folder, "g++"));
    assert.deepEqual(await compilers.list(), expected.slice(0, 1));
  } finally {
    await rm(folder, { recursive: true });
  }
});
