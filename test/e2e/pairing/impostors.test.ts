/** Whoever else answers at a paired server's address, and clients that mean no good: nobody is believed, nothing is harmed. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { pairAt, type PoolServer, startPoolServer } from "../../support/pool.ts";
import { recordHostileRequest, recordLoad, recordMalformedInput } from "../../support/reliability.ts";
import { homccProgram } from "../../support/repository.ts";
import { startServer } from "../../support/server.ts";
import { manners, startStrangeServer } from "../../support/strange-server.ts";
import { waitFor } from "../../support/wait-for.ts";
import { createWorkplace, type Workplace } from "../../support/workplace.ts";

interface Result {
  readonly outcome: string;
  readonly detail: string;
  readonly stderr: string;
}

async function compile(workplace: Workplace, hosts: string): Promise<Result> {
  const object = join(workplace.project, "a.o");
  const before = (await workplace.jobs()).length;
  const { status, stderr } = await workplace.run([homccProgram, "gcc", "-c", "a.c", "-o", object], {
    environment: workplace.environment({ HOMCC_HOSTS: hosts, HOMCC_ESTABLISH_CONNECTION_TIMEOUT: "3" }),
  });
  assert.equal(status, 0, stderr);
  assert.equal((await workplace.run(["gcc", "-c", "a.c", "-o", "plain.o"])).status, 0);
  assert.ok((await readFile(object)).equals(await readFile(join(workplace.project, "plain.o"))));
  const { outcome = "", detail = "" } = (await workplace.jobs(before + 1)).at(-1) ?? {};
  return { outcome, detail, stderr };
}

async function pairedWorkplace(
  pool: PoolServer,
): Promise<{ readonly workplace: Workplace; readonly key: string }> {
  const workplace = await createWorkplace({ forbidLocal: false });
  await writeFile(join(workplace.project, "a.c"), "int a;\n");
  await pairAt(workplace, await pool.lineFor("alice"));
  const hosts = await readFile(join(workplace.homccFolder, "hosts"), "utf8");
  return { workplace, key: /key=[\w-]{43}/.exec(hosts)?.[0] ?? "" };
}

test("a server with another key gets nothing, and both fingerprints are named", async () => {
  await using place = await createWorkplace();
  await using pool = await startPoolServer(join(place.folder, "one"));
  await using other = await startPoolServer(join(place.folder, "other"));
  const { workplace, key } = await pairedWorkplace(pool);
  await using _ = workplace;
  const { outcome, detail, stderr } = await compile(workplace, `${other.server.address}/4,${key}`);
  assert.equal(outcome, "not-trusted");
  const otherKey = (await other.lineFor("x")).split("/")[7] ?? "-";
  for (const name of [key.slice(4), otherKey]) assert.ok(detail.includes(name), detail);
  assert.match(stderr, /not trusted/);
  recordHostileRequest("a server with another key at a paired server's address", { tried: 1, refused: 1 });
});

test("what speaks no TLS there is no server, whatever it does, and hears nothing in plain text", async () => {
  await using place = await createWorkplace();
  await using pool = await startPoolServer(join(place.folder, "one"));
  const { workplace, key } = await pairedWorkplace(pool);
  await using _ = workplace;
  for (const manner of manners.keys()) {
    await using impostor = await startStrangeServer(manner);
    const { outcome } = await compile(workplace, `127.0.0.1:${impostor.port}/4,${key}`);
    assert.ok(["not-trusted", "no-server"].includes(outcome), `${manner}: ${outcome}`);
  }
  // A homccd that has no TLS to offer, because no folder can be made for its key.
  await using plain = await startServer({ options: ["--identity-dir", "/proc/none/identity"] });
  assert.match(plain.log(), /nobody can be paired/);
  const { outcome, detail } = await compile(workplace, `${plain.address}/4,${key}`);
  assert.equal(outcome, "not-trusted");
  assert.match(detail, /does not speak TLS 1\.3/);
  assert.match(plain.log(), /a TLS hello, and this server has no TLS to offer/);
  assert.doesNotMatch(plain.log(), /: homcc 2/);
  recordHostileRequest("an impostor without TLS at a paired server's address", {
    tried: manners.size + 1,
    refused: manners.size + 1,
  });
});

test("a server that demands a proof serves nobody without one, and says how to get it", async () => {
  await using place = await createWorkplace();
  await using pool = await startPoolServer(join(place.folder, "one"), {
    options: ["--authentication", "required"],
  });
  assert.match(pool.server.log(), /serving paired clients only, in TLS, pool [\w-]{12}…/);
  const { workplace, key } = await pairedWorkplace(pool);
  await using _ = workplace;
  const { outcome, detail } = await compile(workplace, `${pool.server.address}/4`);
  assert.equal(outcome, "no-server");
  assert.match(detail, /serves no client that is not paired \(run homccd pair --name NAME on the server/);
  assert.match(pool.server.log(), /127\.0\.0\.1:\d+: this server serves no client that is not paired/);
  assert.equal((await compile(workplace, `${pool.server.address}/4,${key}`)).outcome, "compiled-remotely");
  await using strict = await startPoolServer(join(place.folder, "two"), {
    options: ["--allow", "192.0.2.1"],
  });
  const refused = await compile(workplace, `${strict.server.address}/4`);
  assert.match(refused.detail, /the address 127\.0\.0\.1 is not allowed without a pairing/);
  await pairAt(workplace, await strict.lineFor("alice"));
  const line = (await readFile(join(workplace.homccFolder, "hosts"), "utf8")).trim().split("\n").at(-1) ?? "";
  assert.equal(
    (await compile(workplace, line)).outcome,
    "compiled-remotely",
    "paired clients may come from anywhere",
  );
  recordHostileRequest("a client without a pairing where one is required", { tried: 2, refused: 2 });
});

test("two hundred half-open handshakes and two hundred clients of noise cost a bounded amount, and a build goes on", async (t) => {
  await using place = await createWorkplace();
  await using pool = await startPoolServer(join(place.folder, "one"));
  const { workplace, key } = await pairedWorkplace(pool);
  await using _ = workplace;
  const hosts = `${pool.server.address}/4,${key}`;
  assert.equal((await compile(workplace, hosts)).outcome, "compiled-remotely");
  const before = await residentBytes(pool.server.pid);
  const beginnings = [
    Buffer.from("16030102000100", "hex"),
    Buffer.concat([Buffer.from("1603010200", "hex"), Buffer.alloc(600, 7)]),
    Buffer.concat([Buffer.from("160301", "hex"), Buffer.alloc(65_536, 0x16)]),
    // A handshake message that claims 16 MB.
    Buffer.concat([Buffer.from("160301400001ffffff0303", "hex"), Buffer.alloc(16_384 - 6)]),
  ];
  const sockets: Socket[] = [];
  for (let count = 0; count < 200; count++) {
    const socket = connect(pool.server.port, "127.0.0.1");
    sockets.push(socket);
    socket.on("error", () => {}).resume();
    await once(socket, "connect");
    socket.write(beginnings[count % beginnings.length] ?? "");
  }
  await writeFile(join(workplace.project, "a.c"), "int b;\n");
  assert.equal((await compile(workplace, hosts)).outcome, "compiled-remotely");
  const grown = (await residentBytes(pool.server.pid)) - before;
  t.diagnostic(`${Math.round(grown / 1024)} KiB for 200 that began TLS and did not go on`);
  assert.ok(grown < 128 << 20, `${grown} bytes`);
  await waitFor("all of them to be let go", () => sockets.every((socket) => socket.closed));
  await writeFile(join(workplace.project, "a.c"), "int c;\n");
  assert.equal((await compile(workplace, hosts)).outcome, "compiled-remotely");
  recordMalformedInput("handshakes of TLS", { tried: sockets.length, crashes: 0 });
  recordLoad("clients that begin TLS and do not go on", {
    clients: sockets.length,
    "MiB of homccd": Math.ceil(grown / 2 ** 20),
  });
});

/** Of a homccd, whose script has become node. */
async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}
