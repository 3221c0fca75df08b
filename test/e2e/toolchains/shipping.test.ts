/** What of a toolchain is sent, to whom, and what it does to jobs meanwhile. */
import assert from "node:assert/strict";
import { cp, stat } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { runCommand } from "../../support/command.ts";
import { startCountedLink } from "../../support/counted-link.ts";
import { foreignDeveloper, statusOf, untilOutcome, untilRemote } from "../../support/foreign-developer.ts";
import { homccdProgram, homccProgram } from "../../support/repository.ts";
import { meets } from "../../support/requirements.ts";
import { startServer } from "../../support/server.ts";
import { startSlowLink } from "../../support/slow-link.ts";
import { waitFor } from "../../support/wait-for.ts";
import { systemPath } from "../../support/workplace.ts";

const megabyte = 1 << 20;

test("files that the server has anywhere are not sent; another release sends what differs", async (t) => {
  if (!meets(t, "root")) return;
  await using server = await startServer();
  await using link = await startCountedLink(() => server.port);
  const same = await foreignDeveloper(link.address, 0, true);
  await using _same = same.workplace;
  assert.equal((await same.compile()).outcome, "compiled-remotely");
  // The list of its files, and the job.
  assert.ok(link.sentBytes() < 60_000, String(link.sentBytes()));
  const bytesBefore = link.sentBytes();
  const next = await foreignDeveloper(link.address, 100_000, true);
  await using _next = next.workplace;
  assert.equal((await next.compile()).outcome, "compiled-remotely");
  const { size } = await stat(next.compiler.cc1);
  const sent = link.sentBytes() - bytesBefore;
  assert.ok(sent > 100_000 && sent < size / 2, `${sent} of ${size}: cc1 alone, compressed`);
  const compiles = server.log().match(/laid out in/g) ?? [];
  assert.equal(compiles.length, 2, server.log());
});

test("jobs stay at home while it is on its way, are told once, and go to the server without being asked", async (t) => {
  if (!meets(t, "root")) return;
  await using server = await startServer();
  await using link = await startSlowLink(server.port, 3 * megabyte);
  const client = await foreignDeveloper(link.address, 8 * megabyte);
  await using _workplace = client.workplace;
  const first = await client.compile();
  assert.equal(first.outcome, "toolchain-under-way");
  assert.match(
    first.said,
    /the server does not have the toolchain yet: 127\.0\.0\.1:\d+: .*Compiling locally instead!/,
  );
  const second = await client.compile();
  assert.equal(second.outcome, "toolchain-under-way");
  assert.equal(second.said, "", "told once");
  const [shipment] = await waitFor("a rate", async () => {
    const { toolchains } = await statusOf(client.workplace);
    return toolchains[0]?.remainingMs !== undefined && toolchains;
  });
  assert.equal(shipment?.host, link.address);
  assert.equal(shipment?.state, "sending");
  assert.ok((shipment?.sizeBytes ?? 0) > 30 * megabyte, JSON.stringify(shipment));
  const { stdout } = await client.workplace.run([homccProgram, "status"]);
  assert.match(stdout, /TOOLCHAIN +FOR SERVER +STATE +THERE +REMAINING\n.*gcc.* sending +\S+ MiB of \S+ MiB/);
  // Jobs of a compiler that the server has are not behind it.
  const own = await client.compile({ driver: "/usr/bin/gcc" });
  assert.equal(own.outcome, "compiled-remotely");
  assert.equal(await untilRemote(client), link.address);
  assert.deepEqual((await statusOf(client.workplace)).toolchains, []);
});

test("own: refused once with both identities, and taken when its files lie in a folder that was named", async (t) => {
  if (!meets(t, "root")) return;
  await using server = await startServer({ options: ["--toolchains", "own"] });
  const client = await foreignDeveloper(server.address, 1000);
  await using _workplace = client.workplace;
  const refused = await client.compile();
  assert.equal(refused.outcome, "toolchain-differs");
  assert.match(refused.said, /; here .*gcc.* \([0-9a-f]{12}\), there /);
  const tree = join(server.storeFolder, "../tree");
  await cp(join(client.workplace.folder, "tools"), tree, { recursive: true });
  const command = [homccdProgram, "--no-config", "--store", server.storeFolder, "toolchain", "add", tree];
  const added = await runCommand(command, { cwd: "/", environment: { PATH: systemPath, HOME: "/none" } });
  assert.equal(added.status, 0, added.stderr);
  await runCommand(["chmod", "-R", "a+rX", tree], { cwd: "/", environment: { PATH: systemPath } });
  await untilRemote(client);
  // And not one whose files are only partly there.
  await client.compiler.upgrade(10);
  const partly = await untilOutcome(client, "toolchain-differs");
  assert.match(partly, /1 files of the toolchain \(\S+ MB\) are not on this server.*homccd toolchain add/s);
  assert.equal((await client.compile()).said, "", "told once");
});

test("too large for the server: refused once with the option", async (t) => {
  if (!meets(t, "root")) return;
  await using server = await startServer({ options: ["--max-toolchain-size", "5M"] });
  const client = await foreignDeveloper(server.address, 1000);
  await using _workplace = client.workplace;
  assert.match(
    await untilOutcome(client, "toolchain-differs"),
    /at most 5\.2 MB are taken; here .* \([0-9a-f]{12}\), there .*max_toolchain_size/s,
  );
  assert.equal((await client.compile()).said, "");
});

test("of two servers one after the other is given it, and jobs go to the one that has it", async (t) => {
  if (!meets(t, "root")) return;
  await using has = await startServer();
  await using lacks = await startServer();
  await using link = await startSlowLink(lacks.port, megabyte / 4);
  const client = await foreignDeveloper(`${has.address} ${link.address}`, 2 * megabyte);
  await using _workplace = client.workplace;
  assert.equal(await untilRemote(client, has.address), has.address);
  for (let count = 0; count < 4; count++) {
    const { outcome, host } = await client.compile();
    assert.deepEqual([outcome, host], ["compiled-remotely", has.address]);
  }
  const { toolchains } = await statusOf(client.workplace);
  assert.ok(toolchains.filter(({ state }) => state === "sending").length <= 1, JSON.stringify(toolchains));
});

test("without namespaces, and for a client without an agent, it is refused as before", async (t) => {
  if (!meets(t, "root")) return;
  await using mapped = await startServer({ executor: "mapped" });
  const client = await foreignDeveloper(mapped.address, 1000);
  await using _workplace = client.workplace;
  assert.equal((await client.compile()).outcome, "toolchain-differs");
  await using server = await startServer();
  const { status, stderr } = await client.workplace.run(
    [homccProgram, client.compiler.driver, "-c", "a.c", "-o", "a.o"],
    { environment: client.workplace.environment({ HOMCC_NO_AGENT: "1", HOMCC_HOSTS: server.address }) },
  );
  assert.equal(status, 0);
  assert.match(
    stderr,
    /the server does not have the toolchain yet: .*there none.*the first job through the agent/s,
  );
});
