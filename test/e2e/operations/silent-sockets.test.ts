/** Clients that open connections and say nothing, or say something and stall: others are served, and all of it comes back. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { encodeHello } from "@homcc/protocol/hello";
import { recordHostileRequest, recordLoad } from "../../support/reliability.ts";
import { homccProgram } from "../../support/repository.ts";
import { type Server, startServer } from "../../support/server.ts";
import { startV1Conversation } from "../../support/v1-conversation.ts";
import { waitFor } from "../../support/wait-for.ts";
import { createWorkplace, type Workplace } from "../../support/workplace.ts";

const hello = encodeHello({ versions: [2], agent: "a test", capabilities: [] });

async function open(server: Server, first: Uint8Array, count: number): Promise<Socket[]> {
  const sockets = Array.from({ length: count }, () => {
    const socket = connect(server.port, "127.0.0.1");
    socket.on("error", () => {});
    if (first.byteLength > 0) socket.write(first);
    return socket;
  });
  await Promise.all(sockets.map(async (socket) => socket.connecting && (await once(socket, "connect"))));
  return sockets;
}

async function descriptorsOf(server: Server): Promise<number> {
  return (await readdir(`/proc/${server.pid}/fd`)).length;
}

async function memoryOf(server: Server): Promise<number> {
  const status = await readFile(`/proc/${server.pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}

/** Another client: its address is another. */
async function compile(workplace: Workplace, server: Server): Promise<void> {
  await writeFile(join(workplace.project, "a.c"), `int x = ${Math.random()};\n`);
  const { status, stderr } = await workplace.run([homccProgram, "gcc", "-c", "a.c"], {
    environment: workplace.environment({ HOMCC_HOSTS: `[::1]:${server.port}/4` }),
    timeoutMs: 60_000,
  });
  assert.equal(status, 0, stderr);
}

test("1000 idle connections, 200 that never say hello and 200 beyond the limit beside a client that works", async () => {
  const [idle, silent] = [1000, 200];
  await using workplace = await createWorkplace();
  await using server = await startServer({ listen: "::" });
  await compile(workplace, server);
  const [descriptors, memory] = [await descriptorsOf(server), await memoryOf(server)];
  const welcomed = await open(server, hello, idle);
  await Promise.all(welcomed.map(async (socket) => await once(socket, "data")));
  const full = await memoryOf(server);
  const refused = await open(server, hello, 200);
  const answers = await Promise.all(
    refused.map(async (socket) => String((await once(socket, "data")).at(0))),
  );
  assert.ok(answers.every((answer) => answer.includes("max_connections_per_client")));
  const halves = [
    ...(await open(server, Buffer.of(), silent / 2)),
    ...(await open(server, hello.subarray(0, 20), silent / 2)),
  ];
  await compile(workplace, server);
  await Promise.all(halves.map(async (socket) => socket.closed || (await once(socket.resume(), "close"))));
  assert.ok(
    welcomed.every(({ closed }) => !closed),
    "an idle one may stay",
  );
  await compile(workplace, server);
  for (const socket of welcomed) socket.destroy();
  await waitFor("the descriptors to come back", async () => (await descriptorsOf(server)) <= descriptors + 2);
  await compile(workplace, server);
  recordHostileRequest("connections that never say hello", { tried: silent, refused: silent });
  recordHostileRequest("connections beyond a client's limit", {
    tried: refused.length,
    refused: refused.length,
  });
  recordLoad("idle connections beside a client that compiles", {
    connections: idle,
    "kB each": Math.round(Math.max(0, full - memory) / idle / 1000),
  });
});

test("homcc 1.x clients that are asked for a file and send nothing, or a byte a second, do not keep their slots", async () => {
  await using workplace = await createWorkplace();
  await using server = await startServer({ listen: "::", limit: 2 });
  const source = join(workplace.project, "stalled.c");
  await writeFile(source, "int stalled;\n");
  const call = { args: ["gcc", "-c", source, "-o", "stalled.o"], cwd: workplace.project, source };
  const conversations = [
    await startV1Conversation(server.port, call),
    await startV1Conversation(server.port, call),
  ];
  for (const { said } of conversations) assert.match(said, /DependencyRequest/);
  const stalled = conversations.map(({ socket }) => socket.on("error", () => {}));
  const [, trickling] = stalled;
  const reply = Buffer.alloc(8);
  reply.writeBigUInt64LE(200n);
  trickling?.write(reply);
  const dripping = setInterval(() => trickling?.write(" "), 1_000);
  try {
    // Both slots are theirs: this one waits until they are not.
    await compile(workplace, server);
    await Promise.all(stalled.map(async (socket) => socket.closed || (await once(socket.resume(), "close"))));
  } finally {
    clearInterval(dripping);
  }
  recordHostileRequest("homcc 1.x clients that stall in the middle", { tried: 2, refused: 2 });
});
