import assert from "node:assert/strict";
import { createServer, connect as connectSocket, type Socket } from "node:net";
import { once } from "node:events";
import { test } from "node:test";
import {
  deadSilenceMs,
  expectedBackMs,
  HostHealth,
  type HostState,
  missedAfterMs,
  patienceMs,
  returningMs,
  type SignOfLife,
} from "./health.ts";
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
  readonly givenUp: [Connection, Connection | undefined][] = [];
  readonly dead: number[] = [];
  readonly dials: (PromiseWithResolvers<Connection> & {
    readonly signal: AbortSignal;
    readonly alive: (sign: SignOfLife) => void;
  })[] = [];
  readonly health: HostHealth<Connection> = new HostHealth<Connection>({
    host,
    dial: (signal, alive) => {
      const dial = { ...Promise.withResolvers<Connection>(), signal, alive };
      this.dials.push(dial);
      return dial.promise;
    },
    discard: (connection) => this.discarded.push(connection),
    onGivenUp: (connection, successor) => this.givenUp.push([connection, successor]),
    onDead: (connection) => this.dead.push(connection.number),
    onChange: (state: HostState<Connection>) => this.changes.push(state.kind),
    clock: { wallMs: () => 0, monotonicMs: () => this.time.nowMs },
    timers: this.time,
  });

  async accept(number: number): Promise<Connection> {
    const connection = { number };
    this.dials.at(-1)?.resolve(connection);
    await settled();
    return connection;
  }

  async refuse(): Promise<void> {
    this.dials.at(-1)?.reject(new Error("refused"));
    await settled();
  }

  /** Its last dial failed at once. */
  static async refusing(): Promise<FakeServer> {
    const server = new FakeServer();
    server.health.want();
    await server.refuse();
    return server;
  }

  /** Its connection is silent where an answer is due. */
  static async doubted(): Promise<{ server: FakeServer; old: Connection }> {
    const server = new FakeServer();
    server.health.want();
    const old = await server.accept(1);
    server.health.doubt(old, server.time.nowMs);
    return { server, old };
  }
}

test("jobs share one dial and then one connection", async () => {
  const server = new FakeServer();
  assert.equal(server.health.readiness, "none");
  for (let job = 0; job < 3; job += 1) server.health.want();
  assert.equal(server.health.readiness, "soon");
  const connection = await server.accept(1);
  server.health.want();
  assert.equal(server.health.connection, connection);
  assert.equal(server.health.readiness, "ready");
  assert.equal(server.dials.length, 1);
  assert.deepEqual(server.changes, ["connecting", "healthy"]);
});

test("a dial without a sign of life is waited for during the patience, and goes on", async () => {
  const server = new FakeServer();
  server.health.want();
  await server.time.advance(patienceMs - 1);
  assert.equal(server.health.readiness, "soon");
  await server.time.advance(1);
  assert.equal(server.health.readiness, "late");
  assert.deepEqual(server.health.state, { kind: "overdue", sinceMs: 1000 });
  assert.equal(server.dials[0]?.signal.aborted, false);
  server.health.want();
  await server.time.advance(5000);
  assert.equal(server.dials.length, 1, "jobs do not dial a second time");
  await server.accept(1);
  assert.equal(server.health.readiness, "ready");
});

test("a sign of life buys the patience anew, also one that comes late", async () => {
  const server = new FakeServer();
  server.health.want();
  await server.time.advance(patienceMs * 0.8);
  server.dials[0]?.alive("started");
  await server.time.advance(patienceMs * 0.8);
  assert.equal(server.health.readiness, "soon");
  await server.time.advance(patienceMs * 0.2);
  assert.equal(server.health.readiness, "late");
  server.dials[0]?.alive("started");
  assert.equal(server.health.readiness, "soon");
  await server.time.advance(patienceMs);
  assert.deepEqual(server.changes, ["connecting", "overdue", "connecting", "overdue"]);
  assert.deepEqual(server.health.state, { kind: "overdue", sinceMs: 1000 });
});

test("a failed dial makes the server dead, with the reason", async () => {
  const server = await FakeServer.refusing();
  const { state } = server.health;
  assert.ok(state.kind === "dead");
  assert.match(String(state.reason), /refused/);
  assert.equal(server.health.readiness, "none");
  server.health.want();
  assert.equal(server.dials.length, 1, "jobs do not dial a dead server");
});

test("a dead server is probed after 0.25 s, doubling to 10 s, one probe at a time", async () => {
  const server = await FakeServer.refusing();
  const delaysMs: number[] = [];
  for (let probe = 0; probe < 9; probe += 1) {
    const { state } = server.health;
    assert.ok(state.kind === "dead");
    assert.equal(state.sinceMs, 1000);
    delaysMs.push(state.retryAtMs - server.time.nowMs);
    const before = server.dials.length;
    server.health.want();
    await server.time.advance(state.retryAtMs - server.time.nowMs - 1);
    assert.equal(server.dials.length, before);
    await server.time.advance(1);
    assert.equal(server.dials.length, before + 1);
    assert.equal(server.health.readiness, "none", "jobs do not wait for the probe");
    await server.time.advance(60_000);
    assert.equal(server.dials.length, before + 1, "no second probe while one is pending");
    await server.refuse();
  }
  assert.deepEqual(delaysMs, [250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000, 10_000]);
});

test("a probe brings the server back, and its next failure starts at 0.25 s", async () => {
  const server = await FakeServer.refusing();
  await server.time.advance(250);
  await server.refuse();
  await server.time.advance(500);
  const connection = await server.accept(7);
  assert.equal(server.health.connection, connection);
  assert.deepEqual(server.changes, ["connecting", "dead", "dead", "healthy"]);
  server.health.lost({ number: 8 });
  assert.deepEqual(server.changes.at(-1), "healthy", "another connection's end does not matter");
  server.health.lost(connection);
  server.health.want();
  assert.equal(server.health.readiness, "soon");
  await server.refuse();
  const { state } = server.health;
  assert.ok(state.kind === "dead");
  assert.equal(state.retryAtMs - server.time.nowMs, 250);
});

test("a minute after the last job nothing is probed; the next job asks, and waits if an answer is quick", async () => {
  const refusing = await FakeServer.refusing();
  const silent = new FakeServer();
  silent.health.want();
  await silent.time.advance(10_000);
  await silent.refuse();
  for (const [server, answerMs] of [
    [refusing, 1],
    [silent, 10_000],
  ] as const) {
    for (let { state } = server.health; state.kind === "dead"; { state } = server.health) {
      await server.time.advance(state.retryAtMs - server.time.nowMs);
      await server.time.advance(answerMs);
      await server.refuse();
    }
    assert.ok(server.time.nowMs <= 1000 + 60_000 + 3 * 10_000);
    assert.equal(server.time.pending, 0);
  }
  assert.deepEqual([refusing.health.state.kind, silent.health.state.kind], ["untried", "resting"]);
  const dials = silent.dials.length;
  refusing.health.want();
  silent.health.want();
  assert.deepEqual([refusing.health.readiness, silent.health.readiness], ["soon", "late"]);
  assert.equal(silent.dials.length, dials + 1);
  await silent.accept(1);
  assert.equal(silent.health.readiness, "ready");
});

test("in another network a dead server may be alive", async () => {
  const server = await FakeServer.refusing();
  await server.time.advance(250);
  const probe = server.dials.at(-1);
  server.health.forgive();
  assert.equal(probe?.signal.aborted, true);
  assert.deepEqual([server.health.state.kind, server.time.pending], ["untried", 0]);
  server.health.want();
  assert.equal(server.health.readiness, "soon");
  const connection = await server.accept(1);
  server.health.forgive();
  assert.equal(server.health.connection, connection);
});

test("a doubted connection that speaks is used again, and its successor is not needed", async () => {
  const { server, old } = await FakeServer.doubted();
  assert.equal(server.health.readiness, "soon", "no job goes to the silent one");
  server.health.trust(old);
  assert.equal(server.health.connection, old);
  assert.equal(server.dials.at(-1)?.signal.aborted, true);
  assert.equal(server.time.pending, 0);
  await server.accept(2);
  assert.deepEqual(server.discarded, [{ number: 2 }]);
  assert.equal(server.health.connection, old);
  assert.deepEqual(server.givenUp, []);
});

test("a doubted connection gives way to its successor", async () => {
  const { server, old } = await FakeServer.doubted();
  const successor = await server.accept(2);
  assert.deepEqual(server.givenUp, [[old, successor]]);
  assert.equal(server.health.connection, successor);
  server.health.trust(old);
  server.health.lost(old);
  assert.equal(server.health.connection, successor);
});

test("a doubted connection whose successor does not come up is given up, and may come back", async () => {
  const { server, old } = await FakeServer.doubted();
  await server.time.advance(patienceMs);
  assert.deepEqual(server.givenUp, [[old, undefined]]);
  assert.equal(server.health.readiness, "late");
  await server.refuse();
  assert.equal(server.health.readiness, "none");
  server.health.trust(old);
  assert.equal(server.health.connection, old);
  assert.equal(server.time.pending, 0, "no probe goes on");
});

test("a doubted connection is dead when it was silent for three seconds and nothing accepts another", async () => {
  const { server, old } = await FakeServer.doubted();
  server.dials.at(-1)?.alive("started");
  await server.time.advance(patienceMs);
  assert.deepEqual(server.dead, [], "it may be a bad moment");
  await server.time.advance(deadSilenceMs - patienceMs);
  assert.deepEqual(server.dead, [1]);
  server.health.lost(old, true);
  assert.equal(server.health.readiness, "soon", "its jobs wait for it, from the beginning of its silence on");
  await server.time.advance(missedAfterMs - deadSilenceMs);
  assert.equal(server.health.readiness, "missed");
  const successor = await server.accept(2);
  assert.equal(server.health.connection, successor);
});

test("a dial that waits for a dead line is given up for the next within a second", async () => {
  const { server, old } = await FakeServer.doubted();
  await server.time.advance(patienceMs);
  await server.time.advance(deadSilenceMs - patienceMs);
  server.health.lost(old, true);
  assert.equal(server.dials.at(-1)?.signal.aborted, false);
  await server.time.advance(patienceMs);
  assert.equal(server.dials.at(-1)?.signal.aborted, true);
  await server.refuse();
  await server.time.advance(250);
  assert.equal(server.dials.length, 3);
  await server.accept(2);
  assert.equal(server.health.readiness, "ready");
});

test("who is doubted after a longer silence is dead as soon as the dial's patience is over, or it fails", async () => {
  for (const end of ["patience", "refusal"] as const) {
    const server = new FakeServer();
    server.health.want();
    const old = await server.accept(1);
    await server.time.advance(deadSilenceMs);
    server.health.doubt(old, server.time.nowMs - deadSilenceMs);
    await server.time.advance(1);
    assert.equal(server.dead.length, 0, "the dial may be accepted");
    if (end === "patience") await server.time.advance(patienceMs);
    else await server.refuse();
    assert.deepEqual(server.dead, [1], end);
  }
});

test("a machine that accepts and says nothing is busy: what it was given is left there", async () => {
  const { server, old } = await FakeServer.doubted();
  server.dials.at(-1)?.alive("accepted");
  await server.time.advance(deadSilenceMs);
  await server.time.advance(patienceMs);
  assert.deepEqual(server.givenUp, [[old, undefined]], "but nothing more comes to it");
  assert.deepEqual(server.dead, []);
});

test("a doubted connection that spoke, or has a successor, is not called dead", async () => {
  for (const end of ["trusted", "replaced"] as const) {
    const { server, old } = await FakeServer.doubted();
    if (end === "trusted") server.health.trust(old);
    else await server.accept(2);
    await server.time.advance(2 * deadSilenceMs);
    assert.deepEqual(server.dead, [], end);
    assert.equal(server.time.pending, 0);
  }
});

test("a doubted connection that ends leaves its successor alone", async () => {
  const { server, old } = await FakeServer.doubted();
  server.health.lost(old);
  server.health.trust(old);
  assert.equal(server.health.readiness, "soon");
  await server.accept(2);
  assert.equal(server.health.readiness, "ready");
  assert.deepEqual(server.givenUp, []);
});

test("close cancels the probe, aborts the dial and frees what comes too late", async () => {
  const dead = await FakeServer.refusing();
  dead.health.close();
  assert.equal(dead.time.pending, 0);
  dead.health.want();
  assert.equal(dead.dials.length, 1);

  const connecting = new FakeServer();
  connecting.health.want();
  connecting.health.close();
  assert.ok(connecting.dials[0]?.signal.aborted);
  await connecting.accept(3);
  assert.deepEqual(connecting.discarded, [{ number: 3 }]);
  assert.deepEqual([connecting.time.pending, connecting.health.readiness], [0, "none"]);
});

test("a server whose line dropped is expected back: jobs wait while dials fail, a second apart, and it is missed after four seconds", async () => {
  const server = new FakeServer();
  server.health.want();
  server.health.lost(await server.accept(1), true);
  assert.equal(server.health.readiness, "none", "nobody wants it yet");
  server.health.want();
  await server.refuse();
  const waitUntil = async (endMs: number): Promise<string[]> => {
    const readiness = new Set<string>();
    for (; passedMs < endMs; passedMs += 250) {
      readiness.add(server.health.readiness);
      await server.time.advance(250);
      await server.refuse();
    }
    return [...readiness];
  };
  let passedMs = 0;
  assert.deepEqual(await waitUntil(missedAfterMs - 250), ["soon"]);
  const before = server.changes.length;
  await server.time.advance(250);
  passedMs += 250;
  assert.ok(server.changes.length > before, "placement is told");
  assert.deepEqual(await waitUntil(expectedBackMs - 250), ["missed"]);
  assert.ok(server.dials.length >= 44, `${server.dials.length} dials`);
  const beforeEnd = server.changes.length;
  await server.time.advance(250);
  assert.equal(server.health.readiness, "none");
  assert.ok(server.changes.length > beforeEnd, "placement is told again");
});

test("a dial into a dead network does not hold up the next while the server is expected back", async () => {
  const server = new FakeServer();
  server.health.want();
  server.health.lost(await server.accept(1), true);
  server.health.want();
  const [, hanging] = server.dials;
  assert.ok(hanging !== undefined);
  hanging.signal.addEventListener("abort", () => hanging.reject(hanging.signal.reason));
  await server.time.advance(patienceMs);
  assert.ok(hanging.signal.aborted);
  assert.equal(server.health.readiness, "soon");
  await server.time.advance(250);
  assert.equal(server.dials.length, 3);
  const connection = await server.accept(2);
  assert.equal(server.health.connection, connection);
  assert.equal(server.time.pending, 0);
});

test("a server that restarts is waited for from its word on, and again from the end of its connection; less than after a dropped line", async () => {
  const server = new FakeServer();
  server.health.want();
  const connection = await server.accept(1);
  server.health.returning(connection);
  assert.equal(server.health.connection, undefined, "no more jobs on it");
  server.health.want();
  await server.refuse();
  assert.equal(server.health.readiness, "soon");
  await server.time.advance(missedAfterMs - 1);
  assert.equal(server.health.readiness, "soon");
  await server.time.advance(1);
  assert.equal(server.health.readiness, "missed");
  await server.time.advance(returningMs - missedAfterMs);
  assert.equal(server.health.readiness, "late");
  server.health.returning(connection);
  await server.refuse();
  assert.equal(server.health.readiness, "soon", "its last job there is done");
  const next = { number: 2 };
  await server.time.advance(1000);
  await server.accept(2);
  assert.equal(server.health.readiness, "ready");
  server.health.returning(connection);
  server.health.lost(connection);
  assert.deepEqual(server.health.connection, next, "what comes late says nothing of its successor");
});

test("a server that said goodbye is not waited for", async () => {
  const server = new FakeServer();
  server.health.want();
  server.health.lost(await server.accept(1));
  server.health.want();
  await server.refuse();
  assert.equal(server.health.readiness, "none");
});

test("a real server that starts late is found within its first retries", async () => {
  const reserved = createServer().listen(0, "127.0.0.1");
  await once(reserved, "listening");
  const address = reserved.address();
  assert.ok(address !== null && typeof address === "object");
  const { port } = address;
  reserved.close();
  await once(reserved, "close");

  const failed = Promise.withResolvers<void>();
  const healthy = Promise.withResolvers<Socket>();
  const health = new HostHealth<Socket>({
    host: { name: "127.0.0.1", port, limit: 1 },
    dial: async (signal) => {
      const socket = connectSocket({ port, host: "127.0.0.1", signal });
      await once(socket, "connect");
      return socket;
    },
    onChange: (state) => {
      if (state.kind === "dead") failed.resolve();
      if (state.kind === "healthy") healthy.resolve(state.connection);
    },
    timers: {
      after: (delayMs, run) => {
        const timer = setTimeout(run, delayMs);
        return () => clearTimeout(timer);
      },
    },
  });
  health.want();
  await failed.promise;
  const server = createServer().listen(port, "127.0.0.1");
  await once(server, "listening");
  const socket = await healthy.promise;
  assert.equal(health.connection, socket);
  health.close();
  socket.destroy();
  server.close();
});
