/** The folders of agent and server, used by an older version and this one in turns: objects stay right, and nobody stumbles. */
import assert from "node:assert/strict";
import { chmod, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { assertNoLeaks } from "../../support/leaks.ts";
import { olderVersion } from "../../support/older-version.ts";
import { agentsOf, endProcesses } from "../../support/processes.ts";
import { recordSurvived } from "../../support/reliability.ts";
import { removeFolder } from "../../support/remove-folder.ts";
import { homccdProgram, homccProgram } from "../../support/repository.ts";
import { startServer } from "../../support/server.ts";
import { assertSameUnit, unitCompile } from "../../support/unit-compile.ts";
import { createWorkplace } from "../../support/workplace.ts";

const olderCommit = "2bcbf09";

test("an older version and this one take turns with the folders of both ends", async (t) => {
  const older = await olderVersion(olderCommit);
  if (older === undefined) return t.skip(`the history does not reach to ${olderCommit}`);
  const folder = await mkdtemp(join(tmpdir(), "homcc-stores-"));
  // homccd serves as another account.
  await chmod(folder, 0o755);
  await using _folder = { [Symbol.asyncDispose]: () => removeFolder(folder) };
  await using workplace = await createWorkplace();
  const environment = { HOMCC_CLIENT_CACHE_SIZE: "100M" };
  let header = 0;
  const turns = [
    [older.homcc, older.homccd],
    [homccProgram, homccdProgram],
    [older.homcc, older.homccd],
    [homccProgram, older.homccd],
    [older.homcc, homccdProgram],
    [homccProgram, homccdProgram],
  ] as const;
  for (const [homcc, homccd] of turns) {
    await using server = await startServer({
      program: homccd,
      storeFolder: join(folder, "store"),
      resultCache: true,
    });
    const hosts = { ...environment, HOMCC_HOSTS: `${server.address}/4` };
    // Once as the other one left it, once with what is new.
    for (const edit of [false, true]) {
      if (edit || header === 0) header += 1;
      await writeFile(join(workplace.project, "shared.h"), `#define VALUE ${header}\n`);
      for (const name of ["one", "two"]) {
        await writeFile(
          join(workplace.project, `${name}.cpp`),
          `#include <string>\n#include "shared.h"\nstd::string ${name}() { return std::to_string(VALUE); }\n`,
        );
        const [, ...words] = unitCompile(name);
        const ran = await workplace.run([homcc, ...words], { environment: workplace.environment(hosts) });
        assert.deepEqual({ status: ran.status, stderr: ran.stderr }, { status: 0, stderr: "" });
        await assertSameUnit(workplace, name);
      }
    }
    assert.doesNotMatch(server.log(), /\b(?:ERROR|CRITICAL)\b|^\s+at /m);
    // The next version has an agent of its own, and waits for no other.
    await endProcesses(agentsOf(workplace.homccFolder));
    await assertNoLeaks({ servers: [server] });
  }
  recordSurvived("The stores of both ends are used by an older version and a new one in turns", turns.length);
});
