import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { test, type TestContext } from "node:test";
import type { Host } from "@homcc/config/hosts";
import { type Clock, systemClock } from "@homcc/observability/clock";
import { createLogger } from "@homcc/observability/log";
import { startPath } from "@homcc/transport/fixtures/path";
import { actionOn, fillingAction, job, noTunnels, place, settingsFor } from "./remote-job.fixture.ts";
import { startServer } from "@homcc/transport/fixtures/loopback-server";
import { type ScriptedJob, startScriptedServer } from "./scripted-server.fixture.ts";
import type { Session } from "./session.ts";
import { type HostWish, Servers } from "./servers.ts";

function agentServers(t: TestContext, clock?: Clock): { readonly servers: Servers; readonly log: string[] } {
  const log: string[] = [];
  const servers = new Servers(
    createLogger(
      "DEBUG",
      (_, text) => text,
      (line) => log.push(line.trim()),
    ),
    noTunnels,
    clock,
  );
  t.after(() => servers.close());
  return { servers, log };
}

function hostAt(port: number, limit = 4): Host {
  return { name: "127.0.0.1", port, limit, compression: undefined, text: "", source: "test" };
}

function wishFor(hosts: readonly Host[], establishConnectionTimeoutMs = 5000): HostWish {
  return { hosts, settings: { establishConnectionTimeoutMs } };
}

/** The connection that a job gets which has no other place; `undefined` when there is none in the end. */
async function connect(servers: Servers, host: Host, timeoutMs = 5000): Promise<Session | undefined> {
  const pool = servers.poolFor(wishFor([host], timeoutMs));
  const placement = await pool.place({ tried: new Set(), maxTries: 1, patient: true });
  if (placement === undefined) return undefined;
  using _slot = placement;
  return servers.sessionOn(placement.hostId);
}

async function connected(servers: Servers, host: Host): Promise<Session> {
  const session = await connect(servers, host);
  assert.ok(session);
  return session;
}

const compile = (running: ScriptedJob): Promise<void> => running.finish();
const never = new AbortController().signal;

test("one connection, whatever list named the server", async (t) => {
  await using server = await startScriptedServer(compile);
  const { servers } = agentServers(t);
  const sessions = await Promise.all(
    [4, 8, 4].map((limit) => connected(servers, hostAt(server.port, limit))),
  );
  assert.equal(new Set(sessions).size, 1);
  assert.equal(server.connections.length, 1);
  const [small, same, large] = [4, 4, 8].map((limit) =>
    servers.poolFor(wishFor([hostAt(server.port, limit)])),
  );
  assert.equal(small, same);
  assert.notEqual(small, large);
});

test("a dropped connection is dialled again by the next job", async (t) => {
  await using server = await startScriptedServer(compile);
  const { servers } = agentServers(t);
  const first = await connected(servers, server.host);
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
  const full = await connected(servers, server.host);
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
  servers.poolFor(wishFor([hostAt(server.port), dead]));
  await connected(servers, hostAt(server.port));
  assert.equal(await connect(servers, dead), undefined);
  assert.match(servers.describe(dead), /ECONNREFUSED/);
  for (let port = 1; port <= 16; port += 1) servers.poolFor(wishFor([hostAt(port, 0)]));
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
  for (let port = 1; port <= 40; port += 1) servers.poolFor(wishFor([hostAt(port, 0)]));
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
  assert.equal(await connect(servers, hostAt(chatty.port)), undefined);
  assert.match(servers.describe(hostAt(chatty.port)), /is no homcc 2 server/);
  assert.equal(await connect(servers, hostAt(mute.port), 200), undefined);
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
    noTunnels,
  );
  await connected(servers, server.host);
  const dialling = connect(servers, hostAt(mute.port), 60_000);
  servers.close();
  assert.equal(await dialling, undefined);
  await server.connections[0]?.closed;
  assert.equal(await connect(servers, server.host), undefined);
});

/** A clock that can run ahead of the real one. */
class SkippingClock implements Clock {
  #idleMs = 0;
  #asleepMs = 0;

  wallMs(): number {
    return systemClock.wallMs() + this.#idleMs + this.#asleepMs;
  }

  monotonicMs(): number {
    return systemClock.monotonicMs() + this.#idleMs;
  }

  idle(): void {
    this.#idleMs += 60_000;
  }

  sleep(): void {
    this.#asleepMs += 3_600_000;
  }
}

test("a job on a connection that died without a word goes to the same server on another one", async (t) => {
  await using server = await startScriptedServer(compile);
  await using path = await startPath(server.port);
  const clock = new SkippingClock();
  const { servers } = agentServers(t, clock);
  const loaded = await settingsFor([path], { HOMCC_REMOTE_COMPILATION_TRIES: "1" });
  assert.equal((await place(actionOn("/w", []), loaded, servers)).kind, "ran");
  path.hold({ newOnes: false });
  clock.idle();
  const runs = await Promise.all([1, 2, 3].map(() => place(actionOn("/w", []), loaded, servers)));
  assert.deepEqual(
    runs.map(({ kind }) => kind),
    ["ran", "ran", "ran"],
  );
  assert.equal(path.connections, 2);
  assert.deepEqual(
    server.jobs.map(({ connection }) => connection),
    [0, 1, 1, 1],
  );
});

test("a job whose server is out of reach goes to another one, or home", async (t) => {
  await using near = await startScriptedServer(compile);
  await using far = await startScriptedServer(compile);
  await using path = await startPath(far.port);
  const clock = new SkippingClock();
  const { servers } = agentServers(t, clock);
  const alone = await settingsFor([path]);
  assert.equal((await place(actionOn("/w", []), alone, servers)).kind, "ran");
  path.hold();
  clock.idle();
  const run = await place(actionOn("/w", []), alone, servers);
  assert.deepEqual(run.kind === "failed" && run.outcome, "connection-lost");
  const refused = await place(actionOn("/w", []), alone, servers);
  assert.ok(refused.kind === "failed");
  assert.match(refused.detail, /^127\.0\.0\.1:\d+: no answer yet after \d+\.\d s$/);
  assert.equal((await place(actionOn("/w", []), await settingsFor([path, near]), servers)).kind, "ran");
  assert.deepEqual([far.jobs.length, near.jobs.length], [1, 1]);
  path.release();
  while (servers.describe(hostAt(path.port)).includes("no answer")) await new Promise(setImmediate);
  assert.equal((await place(actionOn("/w", []), alone, servers)).kind, "ran");
  assert.equal(far.jobs.at(-1)?.connection, 0, "the old connection has spoken, and is as good as before");
});

test("a job that the server has begun stays where it is", async (t) => {
  const gate = Promise.withResolvers<void>();
  await using server = await startScriptedServer(async (running) => {
    if (running.message.label !== "long") return await running.finish();
    running.send({ kind: "queued", ahead: 0 });
    await gate.promise;
    await running.finish();
  });
  await using path = await startPath(server.port);
  const clock = new SkippingClock();
  const { servers, log } = agentServers(t, clock);
  const loaded = await settingsFor([path]);
  const session = await connected(servers, hostAt(path.port));
  const long = place(actionOn("/w", []), loaded, servers, { job: { label: "long" } });
  while (server.jobs.length === 0) await new Promise(setImmediate);
  // The answer to another job came after it: so did its own.
  await session.run(actionOn("/w", []), job, never);
  path.hold({ newOnes: false });
  clock.idle();
  assert.equal((await place(actionOn("/w", []), loaded, servers)).kind, "ran");
  assert.ok(log.some((line) => line.includes("is silent")));
  path.release();
  gate.resolve();
  assert.equal((await long).kind, "ran");
  await server.connections[0]?.closed;
  assert.ok(server.connections[1]?.isOpen);
});

test("after a sleep no connection is used before it has spoken", async (t) => {
  await using server = await startScriptedServer(compile);
  await using path = await startPath(server.port);
  const clock = new SkippingClock();
  const { servers, log } = agentServers(t, clock);
  const loaded = await settingsFor([path]);
  const host = hostAt(path.port);
  const session = await connected(servers, host);
  clock.sleep();
  const settled = async (): Promise<void> => {
    while (log.at(-1) !== `127.0.0.1:${path.port}: healthy`) await new Promise(setImmediate);
  };
  servers.poolFor(loaded);
  assert.equal(servers.sessionOn(session.hostId), undefined);
  await settled();
  assert.ok(session.takesJobs);
  path.hold({ newOnes: false });
  clock.sleep();
  assert.equal((await place(actionOn("/w", []), loaded, servers)).kind, "ran");
  assert.equal(session.takesJobs, false);
  assert.equal(server.jobs.length, 1);
});

test("a server that closes every connection at once does not keep a job", async (t) => {
  await using server = await startScriptedServer(compile);
  const { servers } = agentServers(t);
  const loaded = await settingsFor([server]);
  const closing = setInterval(() => {
    for (const channel of server.connections) void channel.close("overloaded");
  }, 1);
  t.after(() => clearInterval(closing));
  const run = await place(actionOn("/w", []), loaded, servers);
  assert.ok(run.kind !== "failed" || run.outcome === "connection-lost" || run.outcome === "no-server");
  assert.ok(server.connections.length <= 3);
});
