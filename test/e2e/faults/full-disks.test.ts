/** Disks that become full at one write or another: what room is left is varied, so that each of them is the one that fails. */
import assert from "node:assert/strict";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { assertNoLeaks, unfinishedOutputs } from "../../support/leaks.ts";
import { noise } from "../../support/noise.ts";
import { agentsOf, isAlive } from "../../support/processes.ts";
import { recordSurvived } from "../../support/reliability.ts";
import { homccProgram } from "../../support/repository.ts";
import { meets } from "../../support/requirements.ts";
import { startServer } from "../../support/server.ts";
import { mountSmallDisk } from "../../support/small-disk.ts";
import { waitFor } from "../../support/wait-for.ts";
import { createWorkplace, type Workplace } from "../../support/workplace.ts";

/** From nothing to more than a job writes. */
const roomsKiB = [0, 4, 12, 32, 64, 110, 200, 400, 2000];

const compile = ["gcc", "-g", "-MD", "-c", "a.c", "-o", "a.o"];

/** An object of 100 kB, another one each time. */
function sourceOf(round: number): string {
  return `#include <string.h>\nconst unsigned char data[] = {${[...noise(100_000, `round ${round}`)].join(",")}};\n`;
}

/** Its last writes are made while it ends. */
async function endAgent(workplace: Workplace): Promise<void> {
  for (const { pid } of agentsOf(workplace.homccFolder)) {
    process.kill(pid, "SIGTERM");
    await waitFor("the agent to end", () => !isAlive(pid));
  }
}

/** What the plain compiler makes of `a.c`; none of it stays. */
async function plainObject(workplace: Workplace): Promise<Buffer> {
  const { status, stderr } = await workplace.run(compile);
  assert.equal(status, 0, stderr);
  const object = await readFile(join(workplace.project, "a.o"));
  for (const name of ["a.o", "a.d"]) await rm(join(workplace.project, name));
  return object;
}

test("the disk of the client is full at any write of agent and job", async (t) => {
  if (!meets(t, "root", { program: "mount" })) return;
  await using server = await startServer();
  await using disk = mountSmallDisk("24m");
  await using workplace = await createWorkplace({
    hosts: `${server.address}/4`,
    forbidLocal: false,
    parent: disk.folder,
  });
  const environment = workplace.environment({ HOMCC_CLIENT_CACHE_SIZE: "8M" });
  const object = join(workplace.project, "a.o");
  for (const [round, room] of roomsKiB.entries()) {
    await writeFile(join(workplace.project, "a.c"), sourceOf(round));
    const plain = await plainObject(workplace);
    await disk.leave(room * 1024);
    const full = await workplace.run([homccProgram, ...compile], { environment });
    if (full.status === 0) assert.ok(plain.equals(await readFile(object)), `${room} KiB`);
    else assert.match(full.stderr, /No space left on device/, `${room} KiB`);
    await waitFor("no unfinished output", () => unfinishedOutputs(workplace.project).length === 0);
    await endAgent(workplace);
    disk.clear();
    const again = await workplace.run([homccProgram, ...compile], { environment });
    assert.deepEqual(
      { status: again.status, stderr: again.stderr },
      { status: 0, stderr: "" },
      `${room} KiB`,
    );
    assert.ok(plain.equals(await readFile(object)), `${room} KiB, then room`);
  }
  await assertNoLeaks({ servers: [server], workplaces: [workplace] });
  recordSurvived(
    "The disk of the client is full at any write: outputs, and all that the agent keeps",
    roomsKiB.length,
  );
});

/** No job begins with less than 32 MiB, and none counts that ends with less. */
const serverRoomsKiB = [0, 1100, 32_780, 32_900, 33_100, 33_400, 34_000, 36_000];

test("the disk of the server is full at any write of a job", async (t) => {
  if (!meets(t, "root", { program: "mount" })) return;
  await using disk = mountSmallDisk("330m");
  await using server = await startServer({
    storeFolder: join(disk.folder, "store"),
    resultCache: true,
    options: ["--min-free-space", "1M"],
  });
  await using workplace = await createWorkplace({ hosts: `${server.address}/4`, forbidLocal: false });
  await writeFile(join(workplace.project, "a.c"), sourceOf(-1));
  // With the toolchain's layer there, the job's own writes are what fails.
  const remote = workplace.environment({ HOMCC_NO_LOCAL_COMPILATION: "1" });
  assert.equal((await workplace.run([homccProgram, ...compile], { environment: remote })).status, 0);
  for (const [round, room] of serverRoomsKiB.entries()) {
    await writeFile(join(workplace.project, "a.c"), sourceOf(round));
    const plain = await plainObject(workplace);
    await disk.leave(room * 1024);
    const full = await workplace.run([homccProgram, ...compile]);
    assert.equal(full.status, 0, full.stderr);
    assert.ok(plain.equals(await readFile(join(workplace.project, "a.o"))), `${room} KiB`);
    disk.clear();
  }
  await writeFile(join(workplace.project, "a.c"), sourceOf(99));
  const after = await workplace.run([homccProgram, ...compile], { environment: remote });
  assert.deepEqual({ status: after.status, stderr: after.stderr }, { status: 0, stderr: "" });
  const jobs = await workplace.jobs(serverRoomsKiB.length + 2);
  assert.equal(jobs.at(-1)?.outcome, "compiled-remotely");
  t.diagnostic(jobs.map(({ outcome }) => outcome).join(" "));
  await assertNoLeaks({ servers: [server], workplaces: [workplace] });
  recordSurvived(
    "The disk of the server is full at any write: inputs, the job's folder, outputs, results, logs",
    serverRoomsKiB.length,
  );
});
