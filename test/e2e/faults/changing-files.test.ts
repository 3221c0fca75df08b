/** Files that change while jobs read them, and times that no clock would give: what is compiled is what a compiler would read. */
import assert from "node:assert/strict";
import { mkdir, readFile, rename, rm, truncate, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { startHeldLink } from "../../support/held-link.ts";
import { assertNoLeaks } from "../../support/leaks.ts";
import { noise } from "../../support/noise.ts";
import { recordSurvived } from "../../support/reliability.ts";
import { startServer } from "../../support/server.ts";
import { assertSameUnit, unitCompile } from "../../support/unit-compile.ts";
import { waitFor } from "../../support/wait-for.ts";
import { createWorkplace } from "../../support/workplace.ts";

/** Large enough that its upload can be held in the middle. */
const header = (version: number): string =>
  `// ${noise(600_000, `header ${version}`).toString("base64")}\n#define VERSION ${version}\n`;

interface Change {
  readonly name: string;
  readonly make: (path: string) => Promise<unknown>;
  /** Of the compile that was under way: what it may have compiled. */
  readonly versions: readonly number[];
}

const changes: readonly Change[] = [
  { name: "written anew", make: (path) => writeFile(path, header(2)), versions: [1, 2] },
  {
    name: "replaced by another",
    make: async (path) => {
      await writeFile(`${path}.new`, header(2));
      await rename(`${path}.new`, path);
    },
    versions: [1, 2],
  },
  { name: "truncated", make: (path) => truncate(path, 1000), versions: [1] },
  { name: "removed", make: (path) => rm(path), versions: [1] },
  {
    name: "replaced by a folder",
    make: async (path) => {
      await rm(path);
      await mkdir(path);
    },
    versions: [1],
  },
];

for (const { name, make, versions } of changes) {
  test(`a header that is ${name} while it is sent`, async () => {
    await using server = await startServer();
    await using link = await startHeldLink(server.port);
    await using workplace = await createWorkplace({ hosts: `${link.address}/4`, forbidLocal: false });
    const path = join(workplace.project, "shared.h");
    await writeFile(path, header(1));
    await writeFile(
      join(workplace.project, "unit.cpp"),
      '#include "shared.h"\n#define TEXT(x) #x\n#define NAME(x) TEXT(version x)\nextern const char name[] = NAME(VERSION);\n',
    );
    const environment = workplace.environment({ HOMCC_NO_LOCAL_COMPILATION: "1" });
    link.hold("up", 300_000);
    // At home a compiler would read it at another moment: what may not be compiled there shows what the server got.
    const running = workplace.start(unitCompile("unit"), { environment });
    await waitFor("half of the header", () => link.isHeld("up"), 60_000);
    await make(path);
    link.release();
    const { status, stderr } = await running.finished;
    if (status === 0) {
      const object = await readFile(join(workplace.project, "unit.o"), "latin1");
      const made = versions.filter((version) => object.includes(`version ${version}`));
      assert.equal(made.length, 1, "one version, and no mixture");
    } else {
      assert.notEqual(name, "written anew");
      assert.equal(status, 1, stderr);
      assert.match(stderr, /shared\.h|VERSION/, "the compiler's own words");
    }
    await rm(path, { recursive: true, force: true });
    await writeFile(path, header(3));
    const after = await workplace.run(unitCompile("unit"), { environment });
    assert.deepEqual({ status: after.status, stderr: after.stderr }, { status: 0, stderr: "" });
    await assertSameUnit(workplace, "unit");
    await assertNoLeaks({ servers: [server], workplaces: [workplace] });
    recordSurvived("A header is changed, truncated, removed or replaced while it is sent");
  });
}

const times: readonly [name: string, seconds: number][] = [
  ["in 2100", Date.UTC(2100, 0) / 1000],
  ["in 1970", 1],
  ["before 1970", -86_400 * 365],
  ["a second ahead", Date.now() / 1000 + 1],
];

for (const [name, seconds] of times) {
  test(`a source and a header of ${name}, edited without another time or size`, async () => {
    await using server = await startServer();
    await using workplace = await createWorkplace({ hosts: `${server.address}/4` });
    const environment = workplace.environment({ HOMCC_CLIENT_CACHE_SIZE: "100M" });
    for (const version of [1, 2, 3]) {
      const files = {
        "shared.h": `#define VERSION ${version}\n`,
        "unit.cpp": `#include "shared.h"\nint unit = ${version} * VERSION;\n`,
      };
      for (const [file, text] of Object.entries(files)) {
        await writeFile(join(workplace.project, file), text);
        await utimes(join(workplace.project, file), seconds, seconds);
      }
      const { status, stderr } = await workplace.run(unitCompile("unit"), { environment });
      assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
      await assertSameUnit(workplace, "unit");
    }
    recordSurvived("Files have times in the future or before 1970, and keep them when they are edited", 3);
  });
}
