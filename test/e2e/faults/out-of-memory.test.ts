/**
 * Memory runs out where homccd, its compilers or the agent run: the kernel's OOM killer ends processes of their control group. Where no
 * group can be made, their own limits leave them no memory.
 */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { greedySource } from "../../support/greedy-source.ts";
import { startHeldLink } from "../../support/held-link.ts";
import { phases } from "../../support/job-phases.ts";
import { assertNoLeaks } from "../../support/leaks.ts";
import { createMemoryGroup } from "../../support/memory-group.ts";
import { agentsOf, compilersOf, isAlive } from "../../support/processes.ts";
import { recordSurvived } from "../../support/reliability.ts";
import { holdCompiler, remoteCompiler } from "../../support/remote-compiler.ts";
import { homccProgram } from "../../support/repository.ts";
import { startServer } from "../../support/server.ts";
import { briefSource } from "../../support/slow-source.ts";
import { assertSameUnit, compilersStarted, unitCompile } from "../../support/unit-compile.ts";
import { endForWantOfMemory } from "../../support/want-of-memory.ts";
import { waitFor } from "../../support/wait-for.ts";
import { createWorkplace } from "../../support/workplace.ts";

/** For homccd (70 MB) and a usual compiler (250 MB), and not for a greedy one (600 MB). */
const groupBytes = 448 * 2 ** 20;
const debug = ["--log-level", "DEBUG"];

/** Somebody connects and leaves: homccd has to allocate something. */
async function knock(port: number): Promise<void> {
  const socket = connect(port, "127.0.0.1").end("knock");
  socket.on("error", () => {}); // It is at its end.
  await new Promise((resolve) => socket.once("close", resolve));
}

for (const executor of ["namespace", "mapped"] as const) {
  test(`a compiler needs more memory than homccd's group has (${executor})`, async () => {
    await using group = createMemoryGroup(groupBytes);
    const options = [...debug, "--min-free-memory", "0"];
    await using server = await startServer({ executor, prefix: group?.words ?? [], options });
    await using workplace = await createWorkplace({ hosts: `${server.address}/4`, forbidLocal: false });
    const write = (name: string, text: string) => writeFile(join(workplace.project, `${name}.cpp`), text);
    await write("first", "int first;\n");
    assert.equal((await workplace.run(unitCompile("first"))).status, 0);
    const modest = ["modest0", "modest1"];
    await write("greedy", greedySource);
    for (const name of modest) await write(name, `int ${name};\n`);
    const running = ["greedy", ...modest].map((name) =>
      workplace.start(unitCompile(name), { timeoutMs: 110_000 }),
    );
    if (group === undefined) await endForWantOfMemory(await remoteCompiler(server, "greedy"), group);
    for (const { finished } of running) {
      const { status, stderr } = await finished;
      assert.equal(status, 0, stderr);
    }
    for (const name of ["greedy", ...modest]) await assertSameUnit(workplace, name);
    const greedy = (await workplace.jobs(4)).find(({ source }) => source === "greedy.cpp");
    assert.equal(greedy?.outcome, "remote-limit");
    assert.equal(compilersStarted(server, "greedy.cpp"), 1);
    assert.ok(group === undefined || group.kills() > 0);
    assert.ok(isAlive(server.pid));
    await write("first", "int first = 2;\n");
    const { status, stderr } = await workplace.run(unitCompile("first"));
    assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
    assert.equal(compilersStarted(server, "first.cpp"), 2);
    await assertNoLeaks({ servers: [server], workplaces: [workplace] });
    recordSurvived("A compiler on the server is killed by the kernel for want of memory");
  });
}

const chosen = new Set(["its inputs arrive", "its compiler runs", "its result is sent"]);

for (const { name, reach } of phases.filter((phase) => chosen.has(phase.name))) {
  test(`homccd is killed for want of memory while ${name}`, async () => {
    await using group = createMemoryGroup(groupBytes);
    const options = { resultCache: true, options: debug, limit: 1, prefix: group?.words ?? [] };
    await using first = await startServer(options);
    await using link = await startHeldLink(first.port);
    // Nothing may be compiled at home: what a server that is back does not compile is lost.
    await using workplace = await createWorkplace({ hosts: `${link.address}/4` });
    await writeFile(join(workplace.project, "other.cpp"), "int other;\n");
    assert.equal((await workplace.run(unitCompile("other"))).status, 0);
    const jobs = await reach({ server: first, link, workplace });
    await endForWantOfMemory(first.pid, group, { poke: () => knock(first.port) });
    const end = await first.ended;
    if (group !== undefined) assert.deepEqual([end, group.kills() > 0], [[null, "SIGKILL"], true]);
    await using second = await startServer({ ...options, port: first.port, storeFolder: first.storeFolder });
    link.release();
    const results = await Promise.all(jobs.map(({ running }) => running.finished));
    assert.deepEqual(
      results.map(({ status, stderr }) => `${status} ${stderr}`),
      jobs.map(() => "0 "),
    );
    for (const { unit } of jobs) await assertSameUnit(workplace, unit);
    await writeFile(join(workplace.project, "other.cpp"), "int other = 2;\n");
    const { status, stderr } = await workplace.run(unitCompile("other"));
    assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
    assert.equal(compilersStarted(second, "other.cpp"), 1);
    await assertSameUnit(workplace, "other");
    await assertNoLeaks({ servers: [second], workplaces: [workplace] });
    recordSurvived(`The server is killed by the kernel for want of memory, and started again, while ${name}`);
  });
}

test("everything of homccd's group is killed for want of memory", async () => {
  await using group = createMemoryGroup(groupBytes);
  const options = { options: debug, prefix: group?.words ?? [] };
  await using first = await startServer(options);
  await using workplace = await createWorkplace({ hosts: `${first.address}/4`, forbidLocal: false });
  await writeFile(join(workplace.project, "first.cpp"), "int first;\n");
  assert.equal((await workplace.run(unitCompile("first"))).status, 0);
  const names = ["brief0", "brief1"];
  for (const name of names) await writeFile(join(workplace.project, `${name}.cpp`), briefSource);
  const running = names.map((name) => workplace.start(unitCompile(name)));
  await Promise.all(names.map((name) => holdCompiler(first, name)));
  await endForWantOfMemory(first.pid, group, { chosen: false, poke: () => knock(first.port) });
  const end = await first.ended;
  if (group !== undefined) assert.deepEqual([end, group.kills() > 2], [[null, "SIGKILL"], true]);
  await waitFor("the end of the compilers", () => compilersOf("brief").length === 0);
  await using second = await startServer({ ...options, port: first.port, storeFolder: first.storeFolder });
  for (const { finished } of running) {
    const { status, stderr } = await finished;
    assert.equal(status, 0, stderr);
  }
  for (const name of names) await assertSameUnit(workplace, name);
  await assertNoLeaks({ servers: [second], workplaces: [workplace] });
  recordSurvived("The server and its compilers are killed by the kernel for want of memory");
});

test("the agent is killed for want of memory in the middle of a build", async () => {
  await using group = createMemoryGroup(groupBytes);
  await using server = await startServer({ options: debug });
  await using workplace = await createWorkplace({ hosts: `${server.address}/4`, forbidLocal: false });
  const write = (name: string, text: string) => writeFile(join(workplace.project, `${name}.cpp`), text);
  await write("first", "int first;\n");
  // The launcher that finds no agent starts one where it runs.
  assert.equal((await workplace.run([...(group?.words ?? []), ...unitCompile("first")])).status, 0);
  const [agent, ...more] = agentsOf(workplace.homccFolder);
  assert.ok(agent !== undefined && more.length === 0);
  const names = ["brief0", "brief1"];
  for (const name of names) await write(name, briefSource);
  const running = names.map((name) => workplace.start(unitCompile(name)));
  await Promise.all(names.map((name) => holdCompiler(server, name)));
  await endForWantOfMemory(agent.pid, group, { poke: () => workplace.run([homccProgram, "status"]) });
  assert.ok(group === undefined || group.kills() > 0);
  for (const { finished } of running) {
    const { status, stderr } = await finished;
    assert.equal(status, 0, stderr);
  }
  for (const name of names) await assertSameUnit(workplace, name);
  await write("first", "int first = 2;\n");
  const { status, stderr } = await workplace.run(unitCompile("first"));
  assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
  assert.equal((await workplace.jobs(1)).at(-1)?.outcome, "compiled-remotely");
  assert.notEqual(agentsOf(workplace.homccFolder)[0]?.pid, agent.pid);
  await assertSameUnit(workplace, "first");
  await assertNoLeaks({ servers: [server], workplaces: [workplace] });
  recordSurvived("The agent is killed by the kernel for want of memory in the middle of a build");
});
