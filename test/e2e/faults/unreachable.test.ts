/** Servers behind packets that vanish, connections that died without a word, names that change or are not answered. */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "node:test";
import type { JobRecord } from "@homcc/homcc/records/job-log";
import { createNetwork, type Network } from "../../support/network.ts";
import { recordSurvived } from "../../support/reliability.ts";
import { homccProgram } from "../../support/repository.ts";
import { meets } from "../../support/requirements.ts";
import { type Server, startServer } from "../../support/server.ts";
import { waitFor } from "../../support/wait-for.ts";
import { createWorkplace, type Workplace } from "../../support/workplace.ts";

/** Longer than any test runs: whoever waits for it does not end. */
const forever = { HOMCC_ESTABLISH_CONNECTION_TIMEOUT: "600" };

/** Nobody asks a connection that spoke less than a second ago. */
const quietMs = 1_100;

function awayServer(network: Network): Promise<Server> {
  return startServer({ prefix: network.away, listen: network.serverAddress });
}

async function workplaceWith(hosts: readonly string[], forbidLocal = false): Promise<Workplace> {
  const workplace = await createWorkplace({ hosts: hosts.join("\n"), forbidLocal });
  await writeFile(join(workplace.project, "a.c"), "int value(void) { return 1; }\n");
  return workplace;
}

/** Compiles once at home of the network and gives the record of the job. */
async function compile(workplace: Workplace, network: Network, variables = {}): Promise<JobRecord> {
  const before = (await workplace.jobs()).length;
  const result = await workplace.run([...network.home, homccProgram, "gcc", "-c", "a.c", "-o", "a.o"], {
    environment: workplace.environment(variables),
  });
  assert.equal(result.status, 0, result.stderr);
  const [job] = (await workplace.jobs(before + 1)).slice(before);
  assert.ok(job !== undefined);
  return job;
}

test("a build with three servers that swallow packets makes one connect each and waits for none", async (t) => {
  if (!meets(t, "root", { program: "make" })) return;
  await using network = await createNetwork();
  await using workplace = await workplaceWith(network.blackHoles.map((address) => `${address}/8`));
  const names = Array.from({ length: 12 }, (_, index) => `f${index}`);
  for (const name of names) await writeFile(join(workplace.project, `${name}.c`), `int ${name};\n`);
  const makefile = `all: ${names.map((name) => `${name}.o`).join(" ")}\n%.o: %.c\n\t$(CC) -c $< -o $@\n`;
  await writeFile(join(workplace.project, "Makefile"), makefile);
  for (const jobs of ["-j1", "-j8"]) {
    const build = await workplace.run([...network.home, "make", "-s", "-B", jobs, `CC=${homccProgram} gcc`], {
      environment: workplace.environment(forever),
      timeoutMs: 300_000,
    });
    assert.equal(build.status, 0, build.stderr);
  }
  const records = await workplace.jobs(2 * names.length);
  assert.deepEqual(new Set(records.map(({ outcome }) => outcome)), new Set(["no-server"]));
  for (const { detail } of records)
    assert.match(detail, /^10\.9\.0\.11:3126: no answer yet after \d+\.\d s; /);
  assert.equal(network.connects(), 3);
  recordSurvived("Three servers swallow packets");
});

test("what may not be compiled at home waits for the whole connect", async (t) => {
  if (!meets(t, "root")) return;
  await using network = await createNetwork();
  await using workplace = await workplaceWith([`${network.blackHoles[0]}/8`], true);
  const result = await workplace.run([...network.home, homccProgram, "gcc", "-c", "a.c"], {
    environment: workplace.environment({ HOMCC_ESTABLISH_CONNECTION_TIMEOUT: "3" }),
  });
  assert.equal(result.status, 69);
  assert.match(result.stderr, /did not answer within 3000 ms/);
});

test("the first job is compiled on the one server that answers", async (t) => {
  if (!meets(t, "root")) return;
  await using network = await createNetwork();
  await using server = await awayServer(network);
  const hosts = [...network.blackHoles.map((address) => `${address}/64`), `${server.address}/1`];
  await using workplace = await workplaceWith(hosts);
  const variables = { ...forever, HOMCC_REMOTE_COMPILATION_TRIES: "1" };
  assert.equal((await compile(workplace, network, variables)).host, server.address);
  assert.equal(network.connects(), 4);
});

test("the VPN is switched off and on again", async (t) => {
  if (!meets(t, "root")) return;
  await using network = await createNetwork();
  await using server = await awayServer(network);
  await using workplace = await workplaceWith([`${server.address}/4`]);
  assert.equal((await compile(workplace, network)).outcome, "compiled-remotely");
  network.cut();
  await sleep(quietMs);
  const lost = await compile(workplace, network, forever);
  assert.equal(lost.outcome, "connection-lost");
  assert.match(lost.detail, /leads nowhere/, "nobody waited until the heartbeat gave up");
  assert.equal((await compile(workplace, network, forever)).outcome, "no-server");
  network.restore();
  await waitFor(
    "a remote compile",
    async () => (await compile(workplace, network)).host === server.address,
    60_000,
  );
  recordSurvived("The VPN is switched off and on again");
});

test("with a new address the first compile is made over a new connection", async (t) => {
  if (!meets(t, "root")) return;
  await using network = await createNetwork();
  await using server = await awayServer(network);
  await using workplace = await workplaceWith([`${server.address}/4`], true);
  await compile(workplace, network);
  network.move();
  await sleep(quietMs);
  assert.equal((await compile(workplace, network, forever)).host, server.address);
  assert.equal(network.connects(), 2);
  recordSurvived("The machine gets another address");
});

test("a name is resolved anew for every connect", async (t) => {
  if (!meets(t, "root")) return;
  await using network = await createNetwork();
  await using first = await startServer({ prefix: network.home, listen: "127.0.0.1" });
  await using second = await startServer({ prefix: network.home, listen: "127.0.0.2", port: first.port });
  await writeFile(network.hostsFile, "127.0.0.1 build.test\n");
  await using workplace = await workplaceWith([`build.test:${first.port}/4`]);
  assert.equal((await compile(workplace, network)).outcome, "compiled-remotely");
  await writeFile(network.hostsFile, "127.0.0.2 build.test\n");
  await first.stop();
  await waitFor("a job on the other machine", async () => {
    await compile(workplace, network);
    return /a\.c: exited/.test(second.log());
  });
  recordSurvived("The server's name leads to another machine");
});

test("three names that no name server answers for keep nobody from the fourth, or from home", async (t) => {
  if (!meets(t, "root")) return;
  await using network = await createNetwork();
  await using server = await awayServer(network);
  const hanging = ["one.test/8", "two.test/8", "three.test/8"];
  await writeFile(network.hostsFile, `${network.serverAddress} four.test\n`);
  await using alone = await workplaceWith(hanging);
  const job = await compile(alone, network, forever);
  assert.equal(job.outcome, "no-server");
  assert.match(job.detail, /one\.test:3126: no answer yet/);
  await using workplace = await workplaceWith([...hanging, `four.test:${server.port}/1`]);
  for (let round = 0; round < 2; round += 1) {
    assert.equal((await compile(workplace, network, forever)).host, `four.test:${server.port}`);
  }
  recordSurvived("The name server does not answer");
});

test("a server that is killed and restarted while jobs run has all jobs again", async () => {
  await using first = await startServer();
  await using workplace = await workplaceWith([`${first.address}/4`]);
  const names = Array.from({ length: 8 }, (_, index) => `f${index}`);
  for (const name of names) await writeFile(join(workplace.project, `${name}.c`), `int ${name};\n`);
  const buildAll = async (): Promise<readonly JobRecord[]> => {
    const before = (await workplace.jobs()).length;
    const builds = names.map((name) =>
      workplace.run([homccProgram, "gcc", "-c", `${name}.c`, "-o", `${name}.o`]),
    );
    for (const result of await Promise.all(builds)) assert.equal(result.status, 0, result.stderr);
    return (await workplace.jobs(before + names.length)).slice(before);
  };
  const isRemote = ({ outcome }: JobRecord): boolean => outcome === "compiled-remotely";
  assert.ok((await buildAll()).every(isRemote));
  const interrupted = buildAll();
  first.kill("SIGKILL");
  await first.ended;
  await interrupted;
  await using second = await startServer({ port: first.port, storeFolder: first.storeFolder });
  await waitFor("the probe", async () => (await buildAll()).some(isRemote));
  const after = [await buildAll(), await buildAll()].flat();
  assert.ok(after.every(isRemote), JSON.stringify(after));
  assert.match(second.log(), /f7\.c: exited/);
  assert.ok((await readFile(join(workplace.project, "f0.o"))).length > 0);
  recordSurvived("The server is killed and restarted while eight jobs run");
});
