/** A line on which every packet is swallowed for half a minute: nobody is told, and no compile is lost. */
import assert from "node:assert/strict";
import { readdirSync, readlinkSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as pass } from "node:timers/promises";
import { createNetwork } from "../../support/network.ts";
import { agentsOf, compilersOf } from "../../support/processes.ts";
import { recordSurvived } from "../../support/reliability.ts";
import { meets } from "../../support/requirements.ts";
import { type Server, startServer } from "../../support/server.ts";
import { slowSource } from "../../support/slow-source.ts";
import { assertSameUnit, compilersStarted, unitCompile } from "../../support/unit-compile.ts";
import { waitFor } from "../../support/wait-for.ts";
import { createWorkplace, type Workplace } from "../../support/workplace.ts";

/** Longer than either end believes in a silent connection (20 s, looked at each 5 s). */
const outageMs = 30_000;

/** A server believes in a silent connection for 20 s, looks each 5 s, and keeps what may be joined for 30 s more. */
const forgottenAfterMs = 60_000;

/** One is compiled when the line goes silent, one waits for the slot. */
const begun = ["slow0", "slow1"];

function openSockets(pid: number): number {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).filter((fd) => {
    try {
      return readlinkSync(join(folder, fd)).startsWith("socket:");
    } catch {
      return false; // It was closed meanwhile.
    }
  }).length;
}

/** Of connections: each has one of its own. */
function sessionFolders({ storeFolder }: Server): number {
  return readdirSync(join(storeFolder, "sessions")).length;
}

const held = (server: Server, workplace: Workplace): number[] => [
  openSockets(server.pid),
  sessionFolders(server),
  ...agentsOf(workplace.homccFolder).map(({ pid }) => openSockets(pid)),
];

test("30 s without a packet in either direction: nothing fails, and nothing is compiled twice or kept", async (t) => {
  if (!meets(t, "root")) return;
  await using network = await createNetwork();
  await using server = await startServer({
    prefix: network.away,
    listen: network.serverAddress,
    limit: 1,
    resultCache: true,
    options: ["--log-level", "DEBUG"],
  });
  await using workplace = await createWorkplace({ hosts: `${server.address}/8` });
  for (const name of begun) await writeFile(join(workplace.project, `${name}.cpp`), slowSource);
  for (const name of ["first", "next"])
    await writeFile(join(workplace.project, `${name}.cpp`), `int ${name};\n`);
  const start = (name: string) =>
    workplace.start([...network.home, ...unitCompile(name)], { timeoutMs: 120_000 });
  assert.equal((await start("first").finished).status, 0);
  const before = held(server, workplace);
  const running = begun.map(start);
  const runs = (name: string): number => compilersStarted(server, `${name}.cpp`);
  await waitFor("the remote compiler", () => begun.some((name) => runs(name) === 1));
  network.silence();
  running.push(start("next"));
  // What is tested is how long it lasts.
  await pass(outageMs);
  network.restore();
  const results = await Promise.all(running.map(({ finished }) => finished));
  assert.deepEqual(
    results.map(({ status, stderr }) => `${status} ${stderr}`),
    running.map(() => "0 "),
  );
  assert.deepEqual([...begun, "next"].map(runs), [1, 1, 1]);
  const jobs = await workplace.jobs(4);
  assert.deepEqual(new Set(jobs.map(({ host }) => host)), new Set([server.address]));
  await assertSameUnit(workplace, "slow0");
  assert.deepEqual(compilersOf("slow"), []);
  // Less, where the end of the first launcher was still on its way.
  await waitFor(
    "nothing of the old connection",
    () => held(server, workplace).every((count, index) => count <= (before[index] ?? 0)),
    forgottenAfterMs,
  );
  recordSurvived("No packet passes for 30 s, in either direction");
});
