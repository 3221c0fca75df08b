/** Everything a compile writes, on a server that runs the client's compiler from another release: as at home, byte for byte. */
import assert from "node:assert/strict";
import { mkdir, rm } from "node:fs/promises";
import { test } from "node:test";
import type { CommandResult } from "../../support/command.ts";
import { createDebianRelease } from "../../support/debian-release.ts";
import { writeFiles } from "../../support/files.ts";
import { otherRelease } from "../../support/release-tree.ts";
import { homccProgram } from "../../support/repository.ts";
import { meets } from "../../support/requirements.ts";
import { startServer } from "../../support/server.ts";
import { compareSnapshots, type Snapshot, takeSnapshot } from "../../support/snapshot.ts";
import { createWorkplace, type Workplace } from "../../support/workplace.ts";

const sources = {
  "include/h.h": "#pragma once\n#define VALUE 3\n",
  "a.c":
    '#include "h.h"\n#include <stdio.h>\n#include <math.h>\nint f(int x) { printf("%d", x); return x > 1 ? VALUE : (int)sqrt(x); }\n',
  "a.cpp":
    '#include "h.h"\n#include <map>\n#include <string>\nint f(const std::map<std::string, int>& m) { int sum = VALUE; for (auto& [k, v] : m) sum += v; return sum; }\n',
};

const options = ["-g -O2 -MD -MP", "-g -gsplit-dwarf -MMD -MF a.deps", "--coverage -frandom-seed=1"];

const directions = [
  { clientIs: "the other release", serverIs: "here" },
  { clientIs: "here", serverIs: "the other release" },
] as const;
const compilers = [
  { family: "gcc", names: ["gcc", "g++"] },
  { family: "clang", names: ["clang", "clang++"] },
] as const;

for (const { clientIs, serverIs } of directions) {
  for (const { family, names } of compilers) {
    test(`${family}, client: ${clientIs}, server: ${serverIs} (${otherRelease} is the other): all outputs`, async (t) => {
      if (!meets(t, "root", "release tree", { program: "clang" })) return;
      await using release = await createDebianRelease();
      await using server = await startServer(serverIs === "here" ? {} : { prefix: release.prefix() });
      await using workplace = await createWorkplace({
        hosts: `${server.address}/4`,
        ...(clientIs === "here" ? {} : { prefix: (cwd) => release.prefix(cwd) }),
      });
      let jobs = 0;
      for (const name of names) {
        const source = name.endsWith("++") ? "a.cpp" : "a.c";
        for (const words of options) {
          const command = `${name} -std=${source === "a.c" ? "gnu11" : "gnu++17"} ${words} -Iinclude -c ${source}`;
          const plain = await run(workplace, command);
          const homcc = await run(workplace, `${homccProgram} ${command}`);
          assert.deepEqual(homcc.result, plain.result, command);
          assert.deepEqual(compareSnapshots(plain.files, homcc.files), [], command);
          jobs += 1;
          const record = (await workplace.jobs(jobs)).at(-1);
          assert.deepEqual([record?.outcome, record?.host], ["compiled-remotely", server.address], command);
        }
      }
    });
  }
}

async function run(
  workplace: Workplace,
  command: string,
): Promise<{ readonly result: CommandResult; readonly files: Snapshot }> {
  await rm(workplace.project, { recursive: true });
  await mkdir(workplace.project);
  await writeFiles(workplace.project, sources);
  const result = await workplace.run(["sh", "-c", command]);
  assert.equal(result.status, 0, result.stderr);
  return { result, files: await takeSnapshot(workplace.project) };
}
