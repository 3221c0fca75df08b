/** One client may fill a server's store, and takes nothing from it that another one's build needs. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { digestOf } from "@homcc/cas/digest";
import type { ServerMessage } from "@homcc/protocol/messages";
import type { ClientChannel } from "@homcc/transport/channel";
import { connectToServer } from "@homcc/transport/connect";
import { type CommandResult, runCommand } from "../../support/command.ts";
import { recordHostileRequest, recordLoad } from "../../support/reliability.ts";
import { homccdProgram, homccProgram } from "../../support/repository.ts";
import { type Server, startServer } from "../../support/server.ts";
import { waitFor } from "../../support/wait-for.ts";
import { createWorkplace, systemPath, type Workplace } from "../../support/workplace.ts";

const storeBytes = 16 << 20;
const units = ["a", "b", "c", "d"];
const options = ["--max-dependency-cache-size", "16M"];

/** A project whose header is 1 MB that nothing makes smaller. Through IPv6 it is another client than through IPv4. */
async function writeProject(workplace: Workplace): Promise<void> {
  await writeFile(join(workplace.project, "large.h"), `/* ${randomBytes(500_000).toString("hex")} */\n`);
  for (const name of units)
    await writeFile(join(workplace.project, `${name}.c`), `#include "large.h"\nint ${name};\n`);
}

/** Edits every source, builds all, and gives what was sent. */
async function build(
  workplace: Workplace,
  server: Server,
  edit: string,
  jobsBefore: number,
): Promise<number> {
  for (const name of units) {
    const file = join(workplace.project, `${name}.c`);
    await writeFile(file, `${await readFile(file, "utf8")}int ${name}_${edit};\n`);
    const result = await workplace.run([homccProgram, "gcc", "-c", `${name}.c`], {
      environment: workplace.environment({ HOMCC_HOSTS: `[::1]:${server.port}/4` }),
    });
    assert.equal(result.status, 0, result.stderr);
  }
  const records = (await workplace.jobs(jobsBefore + units.length)).slice(jobsBefore);
  assert.deepEqual(new Set(records.map(({ outcome }) => outcome)), new Set(["compiled-remotely"]));
  return records.reduce((sum, { sentBytes }) => sum + sentBytes, 0);
}

/** What the server answers to a blob of random bytes. */
async function upload(channel: ClientChannel, sizeBytes: number): Promise<ServerMessage["kind"]> {
  const bytes = randomBytes(sizeBytes);
  const answered = Promise.withResolvers<ServerMessage["kind"]>();
  const stream = channel.openStream({
    onMessage: ({ kind }) => answered.resolve(kind),
    onClose: (reason) => answered.reject(reason),
  });
  channel.send(stream, { kind: "blob", digest: digestOf(bytes) });
  await channel.sendData(stream, [bytes], { priority: "small", end: true });
  return await answered.promise;
}

async function greedyClient(server: Server): Promise<ClientChannel> {
  const address = { host: "127.0.0.1", port: server.port, connectTimeoutMs: 10_000 };
  return (await connectToServer(address)).channel;
}

test("a client that uploads three times the store sends nobody else's files away", async () => {
  await using server = await startServer({ listen: "::", options });
  await using workplace = await createWorkplace();
  await writeProject(workplace);
  const first = await build(workplace, server, "first", 0);
  assert.ok(first > 500_000, `${first}`);
  const channel = await greedyClient(server);
  let uploadedBytes = 0;
  for (const sizeBytes of [4 << 20, 1 << 20, 60_000]) {
    for (let sent = 0; sent < storeBytes; sent += sizeBytes) {
      assert.equal(await upload(channel, sizeBytes), "stored");
      uploadedBytes += sizeBytes;
    }
  }
  assert.ok(uploadedBytes >= 3 * storeBytes);
  // More than everything that is not somebody else's.
  assert.equal(await upload(channel, storeBytes - (64 << 10)), "rejected");
  const again = await build(workplace, server, "again", units.length);
  // Four edited sources, and nothing of the header, neither from the agent nor after a new connection.
  assert.ok(again < 8_000, `${again}`);
  await workplace.run([homccProgram, "stop"]);
  const afterwards = await build(workplace, server, "afterwards", 2 * units.length);
  assert.ok(afterwards < 40_000, `${afterwards}`);
  await channel.close("the test ends");
  recordHostileRequest("an upload that would take the whole store", { tried: 1, refused: 1 });
  recordLoad("one client uploads three times the store, another builds", {
    "MB uploaded": Math.round(uploadedBytes / 1e6),
    "MB of the store": Math.round(storeBytes / 1e6),
    "bytes that the other sent before": first,
    "bytes that the other sent after": again,
  });
});

test("an administrator sees how much of the store is whose, and what each may have", async () => {
  await using server = await startServer({ options: [...options, "--max-storage-per-client", "4M"] });
  const channel = await greedyClient(server);
  assert.equal(await upload(channel, 1 << 20), "stored");
  const identityFolder = join(server.storeFolder, "../none");
  const command = [homccdProgram, "--no-config", "--store", server.storeFolder];
  const clients = async (): Promise<CommandResult> =>
    await runCommand([...command, "--identity-dir", identityFolder, "clients"], {
      cwd: "/",
      environment: { PATH: systemPath },
    });
  const { status, stdout, stderr } = await clients();
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^NAME +MADE +EXPIRES +STATE +LAST SEEN +STORED$/m);
  assert.match(stdout, /^127\.0\.0\.1 +- +- +- +- +1\.0 MiB of 4\.0 MiB$/m);
  await channel.close("the test ends");
  await server.stop();
  assert.equal((await clients()).stdout, "");
});

async function fillTwice(server: Server): Promise<void> {
  const channel = await greedyClient(server);
  for (let sent = 0; sent < 2 * storeBytes; sent += 1 << 20)
    assert.equal(await upload(channel, 1 << 20), "stored");
  await channel.close("the test ends");
}

test("a restarted server knows whose files are whose", async () => {
  await using workplace = await createWorkplace();
  await writeProject(workplace);
  const storeFolder = join(workplace.folder, "store");
  {
    await using server = await startServer({ listen: "::", storeFolder, options });
    await build(workplace, server, "first", 0);
    await fillTwice(server);
  }
  await using server = await startServer({ listen: "::", storeFolder, options });
  await fillTwice(server);
  const again = await build(workplace, server, "again", units.length);
  assert.ok(again < 40_000, `${again}`);
});

test("with a limit as large as the store everybody's oldest files go; a reload changes that", async () => {
  await using workplace = await createWorkplace();
  await writeProject(workplace);
  const configuration = (limit: string): string => `[homccd]\nmax_storage_per_client=${limit}\n`;
  await using server = await startServer({ listen: "::", options, configuration: configuration("16M") });
  await build(workplace, server, "first", 0);
  await fillTwice(server);
  const again = await build(workplace, server, "again", units.length);
  assert.ok(again > 500_000, `${again}`);
  await writeFile(join(server.folder, "homcc.conf"), configuration("8M"));
  server.kill("SIGHUP");
  await waitFor("the new limit", () => server.log().includes("max_storage_per_client"));
  await fillTwice(server);
  const limited = await build(workplace, server, "limited", 2 * units.length);
  assert.ok(limited < 40_000, `${limited}`);
});
