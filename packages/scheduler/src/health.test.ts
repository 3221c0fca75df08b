import assert from "node:assert/strict";
import { createServer, connect as connectSocket, type Socket } from "node:net";
import { once } from "node:events";
import { test } from "node:test";
import { HostHealth, type HostState } from "./health.ts";
import type { HostAddress } from "./host.ts";
import type { Timers } from "./timers.ts";

const host: HostAddress = { name: "build1", port: 3126, limit: 4 };

/** A clock and timers that stand still until told. */
class FakeTime implements Timers {
  nowMs = 1000;
  #due: { readonly atMs: number; readonly run: () => void }[] = [];

  after(delayMs: number, run: () => void): () => void {
    const timer = { atMs: this.nowMs + delayMs, run };
    this.#due.push(timer);
    return () => {
      this.#due = this.#due.filter((other) => other !== timer);
    };
  }

  get pending(): number {
    return this.#due.length;
  }

  async advance(byMs: number): Promise<void> {
    this.nowMs += byMs;
    const due = this.#due.filter(({ atMs }) => atMs <= this.nowMs);
    this.#due = this.#due.filter(({ atMs }) => atMs > this.nowMs);
    for (const { run } of due) run();
    await settled();
  }
}

function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

interface Connection {
  readonly number: number;
}

/** Dials that end when the test says how. */
class FakeServer {
  readonly time = new FakeTime();
  readonly changes: string[] = [];
  readonly discarded: Connection[] = [];
  dials: PromiseWithResolvers<Connection>[] = [];
  signal: AbortSignal | undefined;
  readonly health: HostHealth<Connection> = new HostHealth<Connection>({
    host,
    dial: (signal) => {
      this.signal = signal;
      const dial = Promise.withResolvers<Connection>();
      this.dials.push(dial);
      return dial.promise;
    },
    discard: (connection) => this.discarded.push(connection),
    onChange: (state: HostState<Connection>) => this.changes.push(state.kind),
    clock: { wallMs: () => 0, monotonicMs: () => this.time.nowMs },
    timers: this.time,
  });

  async accept(number: number): Promise<void> {
    this.dials.at(-1)?.resolve({ number });
    await settled();
  }

  async refuse(): Promise<void> {
    this.dials.at(-1)?.reject(Object.assign(new Error("refused"), { code: "ECONNREFUSED" }));
    await settled();
  }
}

test("jobs share one dial and then one connection", async () => {
  const server = new FakeServer();
  const jobs = [server.health.connect(), server.health.connect(), server.health.connect()];
  assert.equal(server.health.state.kind, "connecting");
  assert.ok(server.health.usable);
  await server.accept(1);
  assert.deepEqual(await Promise.all(jobs), [{ number: 1 }, { number: 1 }, { number: 1 }]);
  assert.deepEqual(await server.health.connect(), { number: 1 });
  assert.equal(server.dials.length, 1);
  assert.deepEqual(server.changes, ["connecting", "healthy"]);
});

test("a failed dial fails every job that waits for it, with the reason", async () => {
  const server = new FakeServer();
  const jobs = [server.health.connect(), server.health.connect()];
  const expected = { code: "ERR_HOMCC_UNAVAILABLE", message: /build1:3126/ };
  const rejected = Promise.all(jobs.map((job) => assert.rejects(job, expected)));
  await server.refuse();
  await rejected;
  await assert.rejects(server.health.connect(), (error: Error) => /refused/.test(String(error.cause)));
  assert.equal(server.health.usable, false);
  assert.equal(server.dials.length, 1, "jobs do not dial a dead server");
});

test("a dead server is probed after 0.25 s, doubling to 10 s, one probe at a time", async () => {
  const server = new FakeServer();
  server.health.connect().catch(() => {});
  await server.refuse();
  const delaysMs: number[] = [];
  for (let probe = 0; probe < 9; probe += 1) {
    const { state } = server.health;
    assert.ok(state.kind === "dead");
    assert.equal(state.sinceMs, 1000);
    delaysMs.push(state.retryAtMs - server.time.nowMs);
    const before = server.dials.length;
    await server.time.advance(state.retryAtMs - server.time.nowMs - 1);
    assert.equal(server.dials.length, before);
    await server.time.advance(1);
    assert.equal(server.dials.length, before + 1);
    assert.equal(server.health.usable, false, "jobs do not wait for the probe");
    await assert.rejects(server.health.connect(), { code: "ERR_HOMCC_UNAVAILABLE" });
    await server.time.advance(60_000);
    assert.equal(server.dials.length, before + 1, "no second probe while one is pending");
    await server.refuse();
  }
  assert.deepEqual(delaysMs, [250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000, 10_000]);
});

test("a probe brings the server back, and its next failure starts at 0.25 s", async () => {
  const server = new FakeServer();
  server.health.connect().catch(() => {});
  await server.refuse();
  await server.time.advance(250);
  await server.refuse();
  await server.time.advance(500);
  await server.accept(7);
  const connection = await server.health.connect();
  assert.deepEqual(connection, { number: 7 });
  assert.deepEqual(server.changes, ["connecting", "dead", "dead", "healthy"]);
  server.health.lost({ number: 8 });
  assert.deepEqual(server.changes.at(-1), "healthy", "another connection's end does not matter");
  server.health.lost(connection);
  assert.ok(server.health.usable);
  const rejected = assert.rejects(server.health.connect());
  await server.refuse();
  await rejected;
  const { state } = server.health;
  assert.ok(state.kind === "dead");
  assert.equal(state.retryAtMs - server.time.nowMs, 250);
});

test("close cancels the probe, aborts the dial and frees what comes too late", async () => {
  const dead = new FakeServer();
  dead.health.connect().catch(() => {});
  await dead.refuse();
  dead.health.close();
  assert.equal(dead.time.pending, 0);
  await assert.rejects(dead.health.connect(), { code: "ERR_HOMCC_UNAVAILABLE" });

  const connecting = new FakeServer();
  const job = connecting.health.connect();
  connecting.health.close();
  assert.ok(connecting.signal?.aborted);
  const rejected = assert.rejects(job, { code: "ERR_HOMCC_UNAVAILABLE" });
  await connecting.accept(3);
  await rejected;
  assert.deepEqual(connecting.discarded, [{ number: 3 }]);
  assert.equal(connecting.time.pending, 0);
});

test("a real server that starts late is found within its first retries", async () => {
  const reserved = createServer().listen(0, "127.0.0.1");
  await once(reserved, "listening");
  const address = reserved.address();
  assert.ok(address !== null && typeof address === "object");
  const { port } = address;
  reserved.close();
  await once(reserved, "close");

  const healthy = Promise.withResolvers<Socket>();
  const health = new HostHealth<Socket>({
    host: { name: "127.0.0.1", port, limit: 1 },
    dial: async (signal) => {
      const socket = connectSocket({ port, host: "127.0.0.1", signal });
      await once(socket, "connect");
      return socket;
    },
    onChange: (state) => {
      if (state.kind === "healthy") healthy.resolve(state.connection);
    },
    timers: {
      after: (delayMs, run) => {
        const timer = setTimeout(run, delayMs);
        return () => clearTimeout(timer);
      },
    },
  });
  await assert.rejects(health.connect(), { code: "ERR_HOMCC_UNAVAILABLE" });
  const server = createServer().listen(port, "127.0.0.1");
  await once(server, "listening");
  const socket = await healthy.promise;
  assert.equal(await health.connect(), socket);
  health.close();
  socket.destroy();
  server.close();
});
