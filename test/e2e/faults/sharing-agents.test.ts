/** Two agents of one user on one folder, and two checkouts that are built at once: each gets its own objects. */
import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { test } from "node:test";
import { assertNoLeaks } from "../../support/leaks.ts";
import { processesMentioning } from "../../support/processes.ts";
import { recordSurvived } from "../../support/reliability.ts";
import { homccProgram } from "../../support/repository.ts";
import { startServer } from "../../support/server.ts";
import { createWorkplace } from "../../support/workplace.ts";

const names = ["a", "b", "c", "d"];

for (const agents of [1, 2]) {
  test(`two checkouts with the same names are built at once by ${agents === 1 ? "one agent" : "two agents that share a folder"}`, async () => {
    await using server = await startServer({ resultCache: true });
    await using workplace = await createWorkplace({ hosts: `${server.address}/4` });
    const checkouts = [join(workplace.project, "one"), join(workplace.project, "two")];
    // As in two containers with one home: each has sockets of its own, and what the agents keep is in `~/.cache/homcc`.
    const environmentOf = async (folder: string): Promise<Record<string, string>> => {
      const kept = { HOMCC_CLIENT_CACHE_SIZE: "100M" };
      if (agents === 1) return workplace.environment(kept);
      const sockets = join(workplace.folder, `sockets-${basename(folder)}`);
      await mkdir(sockets, { recursive: true, mode: 0o700 });
      return workplace.environment({ ...kept, HOMCC_DIR: undefined, XDG_RUNTIME_DIR: sockets });
    };
    for (const round of [1, 2, 3]) {
      for (const folder of checkouts) {
        await mkdir(folder, { recursive: true });
        // The third round is the second one again: what was kept serves, each its own.
        await writeFile(join(folder, "shared.h"), `#define VALUE "${folder} ${Math.min(round, 2)}"\n`);
        for (const name of names)
          await writeFile(
            join(folder, `${name}.cpp`),
            `#include <string>\n#include "shared.h"\nstd::string ${name}() { return VALUE; }\n`,
          );
      }
      const compile = async (folder: string, name: string, words: readonly string[], object: string) => {
        const argv = [...words, "g++", "-O1", "-g", "-c", `${name}.cpp`, "-o", object];
        const environment = await environmentOf(folder);
        const { status, stderr } = await workplace.run(argv, { cwd: folder, environment });
        assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
      };
      await Promise.all(
        checkouts.flatMap((folder) =>
          names.map((name) => compile(folder, name, [homccProgram], `${name}.o`)),
        ),
      );
      for (const folder of checkouts) {
        await compile(folder, "a", [], "plain.o");
        const [ours, plain] = await Promise.all(
          ["a.o", "plain.o"].map((file) => readFile(join(folder, file))),
        );
        assert.ok(ours?.equals(plain ?? Buffer.alloc(0)), `${folder}, round ${round}`);
        for (const name of names) {
          const object = await readFile(join(folder, `${name}.o`), "latin1");
          assert.ok(
            object.includes(`${folder} ${Math.min(round, 2)}`),
            `${folder}/${name}.o, round ${round}`,
          );
        }
      }
    }
    const running = processesMentioning(workplace.folder).filter(({ commandLine }) =>
      commandLine.some((word) => word.endsWith("/agent.mjs")),
    );
    assert.equal(running.length, agents);
    await assertNoLeaks({ servers: [server], ...(agents === 1 ? { workplaces: [workplace] } : {}) });
    recordSurvived(
      agents === 1
        ? "Two checkouts with the same names are built at once by one agent"
        : "Two agents share one folder, and build at once",
      3,
    );
  });
}
