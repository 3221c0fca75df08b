/** Wall clocks that are set by hours, at either end, while a job runs and between jobs: waits, caches and objects do not mind. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { assertNoLeaks, unfinishedOutputs } from "../../support/leaks.ts";
import { recordSurvived } from "../../support/reliability.ts";
import { meets } from "../../support/requirements.ts";
import { startServer } from "../../support/server.ts";
import { clockedPrograms, setClock } from "../../support/set-clock.ts";
import { assertSameUnit, compilersStarted, unitCompile } from "../../support/unit-compile.ts";
import { waitFor } from "../../support/wait-for.ts";
import { createWorkplace } from "../../support/workplace.ts";

/** Half a second of a front end, in which the clock is set. */
const source = (number: number): string => `#include "shared.h"
constexpr unsigned long spin(unsigned long n) {
  unsigned long x = n;
  for (unsigned long i = 0; i < n; ++i) x = x * 6364136223846793005ul + 1442695040888963407ul;
  return x;
}
constexpr unsigned long table[] = {spin(200000)};
unsigned long value${number}(int i) { return table[i] + VALUE; }
`;

for (const end of ["client", "server"] as const) {
  test(`the clock of the ${end} is set by hours, forward and back`, async (t) => {
    if (!meets(t, { program: "faketime" })) return;
    await using workplace = await createWorkplace();
    const { homcc, homccd } = await clockedPrograms(join(workplace.folder, "clocked"));
    await using server = await startServer({
      program: homccd,
      resultCache: true,
      options: ["--log-level", "DEBUG"],
    });
    for (const folder of [workplace.homccFolder, server.folder]) await setClock(folder, 0);
    const environment = workplace.environment({
      HOMCC_HOSTS: `${server.address}/4`,
      HOMCC_CLIENT_CACHE_SIZE: "100M",
      HOMCC_COMPILATION_REQUEST_TIMEOUT: "50",
    });
    const start = (name: string) => {
      const [, ...words] = unitCompile(name);
      return workplace.start([homcc, ...words], { environment });
    };
    const jumps = [5, -5, 0, 24 * 365, 0];
    for (const [number, hours] of jumps.entries()) {
      const name = `unit${number}`;
      await writeFile(join(workplace.project, "shared.h"), `#define VALUE ${number}\n`);
      await writeFile(join(workplace.project, `${name}.cpp`), source(number));
      const running = start(name);
      await waitFor("the remote compiler", () => compilersStarted(server, `${name}.cpp`) === 1, 40_000);
      await setClock(end === "client" ? workplace.homccFolder : server.folder, hours);
      const { status, stderr } = await running.finished;
      assert.deepEqual({ status, stderr }, { status: 0, stderr: "" }, `${hours} hours`);
      await assertSameUnit(workplace, name);
      // Kept by then, and with a header that is edited at once.
      await writeFile(join(workplace.project, "shared.h"), `#define VALUE ${number + 100}\n`);
      assert.equal((await start(name).finished).status, 0);
      await assertSameUnit(workplace, name);
    }
    const times = (await workplace.jobs(2 * jumps.length)).map(({ time }) => Date.parse(time));
    if (end === "client") assert.ok(Math.max(...times) - Date.now() > 3_600_000, "its clock was set");
    assert.doesNotMatch(server.log(), /\b(?:ERROR|CRITICAL)\b|^\s+at /m);
    await assertNoLeaks({ servers: [server] });
    assert.deepEqual(unfinishedOutputs(workplace.project), []);
    recordSurvived(`The clock of the ${end} is set by hours while a job runs`, jumps.length);
  });
}
