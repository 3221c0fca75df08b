/** Headers of the system are replaced as packages are while a build runs: each object is made with those of its moment. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { createDebianRelease, type DebianRelease } from "../../support/debian-release.ts";
import { writeFiles } from "../../support/files.ts";
import { homccProgram } from "../../support/repository.ts";
import { meets } from "../../support/requirements.ts";
import { startServer } from "../../support/server.ts";
import { waitFor } from "../../support/wait-for.ts";
import { createWorkplace, type Workplace } from "../../support/workplace.ts";

/** Two headers of a package, replaced one after the other, and a new one that the second brings into use. */
const first = "/usr/include/upgraded-first.h";
const second = "/usr/include/upgraded/second.h";
const added = "/usr/include/upgraded/added.h";
const versions = 4;
/** The grain of a file system's clock, and the second that `stat` leaves out. */
const watchedAfterMs = 3500;

const install = (path: string, text: string): string =>
  `mkdir -p "$(dirname ${path})"; printf '%s\\n' '${text}' > ${path}.dpkg-new; mv ${path}.dpkg-new ${path}`;

test("headers of the system that are upgraded during a build count from the next job on", async (t) => {
  if (!meets(t, "root", "release tree")) return;
  await using home = await createDebianRelease();
  await using away = await createDebianRelease();
  await using server = await startServer({ prefix: away.prefix() });
  await using workplace = await createWorkplace({
    hosts: `${server.address}/4`,
    prefix: (cwd) => home.prefix(cwd),
  });
  const text = "#include <stdio.h>\n#include <upgraded-first.h>\n#include <upgraded/second.h>\n";
  for (const machine of [home, away]) await upgradeTo(machine, 1, [first, second]);
  let count = 0;
  const expectValues = async (one: number, two: number): Promise<void> => {
    // Two that have not been compiled yet, and one that has.
    const names = [`f${count++}`, `f${count++}`, "same"];
    await Promise.all(
      names.map(async (name) => {
        await writeFiles(workplace.project, {
          [`${name}.c`]: `${text}int ${name} = FIRST * 100 + SECOND;\n`,
        });
        assert.equal(await valueOf(workplace, name), one * 100 + two, `${name} with ${one} and ${two}`);
      }),
    );
  };
  await expectValues(1, 1);
  // Folders that have not changed for a while are watched: the agent is told of what comes then, and looks no more.
  await waitFor("the folders to be older than a clock's grain", async () => {
    const changed = await home.run(`stat -c %Z ${dirname(first)} ${dirname(second)}`);
    return changed.split("\n").every((seconds) => Number(seconds) * 1000 + watchedAfterMs < Date.now());
  });
  await expectValues(1, 1);
  for (let version = 2; version <= versions; version += 1) {
    await upgradeTo(home, version, [first]);
    await expectValues(version, version - 1);
    await upgradeTo(home, version, [second]);
    await expectValues(version, version);
    // The server's own headers are not the job's.
    await upgradeTo(away, version + 10, [first, second]);
    await expectValues(version, version);
  }
  // A name that was looked for and not there.
  await home.run(
    install(
      second,
      "#if __has_include(<upgraded/added.h>)\n#include <upgraded/added.h>\n#else\n#define SECOND 50\n#endif",
    ),
  );
  await expectValues(versions, 50);
  await home.run(install(added, "#define SECOND 60"));
  await expectValues(versions, 60);
  await home.run(`rm ${added}`);
  await expectValues(versions, 50);
});

async function upgradeTo(machine: DebianRelease, version: number, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const name = path === first ? "FIRST" : "SECOND";
    await machine.run(install(path, `#pragma once\n#define ${name} ${version}`));
  }
}

/** What the object, which must have been compiled on the server, initialises its variable with. */
async function valueOf(workplace: Workplace, name: string): Promise<number> {
  const result = await workplace.run([homccProgram, "gcc", "-S", `${name}.c`]);
  assert.equal(result.status, 0, result.stderr);
  const assembly = await readFile(join(workplace.project, `${name}.s`), "utf8");
  return Number(/\.long\s+(\d+)/.exec(assembly)?.[1]);
}
