import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { test, type TestContext } from "node:test";
import type { Host } from "@homcc/config/hosts";
import { createLogger } from "@homcc/observability/log";
import { actionOn, fillingAction, job, place, settingsFor } from "./remote-job.fixture.ts";
import { startServer } from "@homcc/transport/fixtures/loopback-server";
import { type ScriptedJob, startScriptedServer } from "./scripted-server.fixture.ts";
import { Servers } from "./servers.ts";

function agentServers(t: TestContext): { readonly servers: Servers; readonly log: string[] } {
  const log: string[] = [];
  const servers = new Servers(
    createLogger(
      "DEBUG",
      (_, text) => text,
      (line) => log.push(line.trim()),
    ),
  );
  t.after(() => servers.close());
  return { servers, log };
}

function hostAt(port: number, limit = 4): Host {
  return { name: "127.0.0.1", port, limit, compression: undefined, text: "", source: "test" };
}

const compile = (running: ScriptedJob): Promise<void> => running.finish();
const never = new AbortController().signal;

test("one connection, whatever list named the server", async (t) => {
  await using server = await startScriptedServer(compile);
  const { servers } = agentServers(t);
  const sessions = await Promise.all(
    [4, 8, 4].map((limit) => servers.connect(hostAt(server.port, limit), 5000)),
  );
  assert.equal(new Set(sessions).size, 1);
  assert.equal(server.connections.length, 1);
  assert.equal(servers.poolFor([hostAt(1, 4)]), servers.poolFor([hostAt(1, 4)]));
  assert.notEqual(servers.poolFor([hostAt(1, 4)]), servers.poolFor([hostAt(1, 8)]));
});

test("a dropped connection is dialled again by the next job", async (t) => {
  await using server = await startScriptedServer(compile);
  const { servers } = agentServers(t);
  const first = await servers.connect(server.host, 5000);
  await server.connections[0]?.close("restarting");
  const loaded = await settingsFor([server]);
  const deadline = Date.now() + 5000;
  while (first.takesJobs && Date.now() < deadline) await new Promise(setImmediate);
  const run = await place(actionOn("/w", []), loaded, servers);
  assert.equal(run.kind, "ran");
  assert.equal(server.connections.length, 2);
});

test("a connection whose numbers are used up is replaced, once, and its jobs go on", async (t) => {
  const gate = Promise.withResolvers<void>();
  await using server = await startScriptedServer(async (running) => {
    if (running.message.label === "long") await gate.promise;
    await running.finish();
  });
  const { servers } = agentServers(t);
  const loaded = await settingsFor([server]);
  const long = place(actionOn("/w", []), loaded, servers, { job: { label: "long" } });
  const full = await servers.connect(server.host, 5000);
  for (let n = 0; full.takesJobs; n += 1) await full.run(fillingAction(n), job, never);
  const runs = await Promise.all([1, 2, 3].map(() => place(actionOn("/w", []), loaded, servers)));
  assert.ok(runs.every(({ kind }) => kind === "ran"));
  assert.deepEqual(
    server.jobs.slice(-3).map(({ connection }) => connection),
    [1, 1, 1],
  );
  assert.equal(server.connections.length, 2);
  gate.resolve();
  assert.equal((await long).kind, "ran");
  await server.connections[0]?.closed;
  assert.ok(server.connections[1]?.isOpen);
});

test("servers that no list in use names are forgotten: neither connection nor probes stay", async (t) => {
  await using server = await startScriptedServer(compile);
  const refusing = createServer().listen(0, "127.0.0.1");
  await once(refusing, "listening");
  const address = refusing.address();
  assert.ok(typeof address === "object" && address !== null);
  refusing.close();
  const { servers } = agentServers(t);
  const dead = hostAt(address.port);
  servers.poolFor([hostAt(server.port), dead]);
  await servers.connect(hostAt(server.port), 5000);
  await assert.rejects(servers.connect(dead, 5000));
  assert.match(servers.describe(dead), /ECONNREFUSED/);
  for (let port = 1; port <= 16; port += 1) servers.poolFor([hostAt(port)]);
  await server.connections[0]?.closed;
  assert.equal(servers.describe(dead), `127.0.0.1:${dead.port}`);
});

test("a list that jobs use is not forgotten: who waits in it hears that the server died", async (t) => {
  const begun = Promise.withResolvers<void>();
  await using server = await startScriptedServer((running) => {
    begun.resolve();
    void running.cancelled;
  });
  const { servers } = agentServers(t);
  const loaded = await settingsFor([server]);
  const [host] = loaded.hosts;
  assert.ok(host !== undefined);
  const hosts = [{ ...host, limit: 1 }];
  const runs = [1, 2, 3].map(() => place(actionOn("/w", []), { ...loaded, hosts }, servers));
  await begun.promise;
  for (let port = 1; port <= 40; port += 1) servers.poolFor([hostAt(port)]);
  assert.ok(server.connections[0]?.isOpen);
  await server[Symbol.asyncDispose]();
  const outcomes = (await Promise.all(runs)).map((run) => (run.kind === "failed" ? run.outcome : run.kind));
  assert.equal(outcomes[0], "connection-lost");
  assert.deepEqual(new Set(outcomes.slice(1)), new Set(["no-server"]));
});

test("something that is no homcc 2 server, and one that never greets", async (t) => {
  await using chatty = await startServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
  await using mute = await startServer(() => {});
  const { servers } = agentServers(t);
  await assert.rejects(servers.connect(hostAt(chatty.port), 5000));
  assert.match(servers.describe(hostAt(chatty.port)), /is no homcc 2 server/);
  await assert.rejects(servers.connect(hostAt(mute.port), 200));
  assert.match(servers.describe(hostAt(mute.port)), /did not answer within 200 ms/);
});

test("close ends the connections and the dials", async () => {
  await using server = await startScriptedServer(compile);
  await using mute = await startServer(() => {});
  const servers = new Servers(
    createLogger(
      "CRITICAL",
      (_, text) => text,
      () => {},
    ),
  );
  await servers.connect(server.host, 5000);
  const dialling = assert.rejects(servers.connect(hostAt(mute.port), 60_000));
  servers.close();
  await dialling;
  await server.connections[0]?.closed;
  await assert.rejects(servers.connect(server.host, 5000));
});
