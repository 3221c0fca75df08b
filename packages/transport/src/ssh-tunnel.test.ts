import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { connectThroughSsh, type TunnelledConnection } from "./connect-through-ssh.ts";
import { startLoopbackServer, startServer } from "./fixtures/loopback-server.ts";
import { SshError } from "./ssh-error.ts";
import { SshTunnel } from "./ssh-tunnel.ts";

const never = new AbortController().signal;
const fakeSsh = join(import.meta.dirname, "fixtures/fake-ssh.ts");

/** A tunnel by `fake-ssh.ts`, and a clock that the test moves. */
interface Scene {
  readonly tunnel: SshTunnel;
  /** Of the sockets. */
  readonly folder: string;
  /** How often ssh was started. */
  logins(): Promise<number>;
  wish(more?: { readonly behaviour?: string; readonly keys?: string; readonly persistMs?: number }): void;
  connect(timeoutMs?: number, signal?: AbortSignal): Promise<TunnelledConnection>;
  /** Until the timer that is set; 0 without one. */
  readonly delayMs: number;
  pass(ms: number): void;
}

async function createScene(t: TestContext, port: number, canPrepare = true): Promise<Scene> {
  const folder = await mkdtemp(join(tmpdir(), "homcc-tunnel-"));
  const programs = await mkdtemp(join(tmpdir(), "homcc-tunnel-"));
  const log = join(programs, "log");
  const executable = join(programs, "ssh");
  await writeFile(log, "");
  await writeFile(executable, `#!/bin/sh\nexec "${process.execPath}" "${fakeSsh}" "$@"\n`, { mode: 0o755 });
  let nowMs = 0;
  let due: { readonly atMs: number; readonly run: () => void } | undefined;
  const tunnel = new SshTunnel({
    route: { user: "", name: "build", port, executable, options: [] },
    folder: { path: folder, prepare: () => canPrepare },
    clock: { wallMs: () => 0, monotonicMs: () => nowMs },
    timers: {
      after: (delayMs, run) => {
        const timer = { atMs: nowMs + delayMs, run };
        due = timer;
        return () => {
          if (due === timer) due = undefined;
        };
      },
    },
  });
  const wish: Scene["wish"] = ({ behaviour = "", keys = "/keys", persistMs = 0 } = {}) => {
    tunnel.wish = {
      controlPersistMs: persistMs,
      environment: { FAKE_SSH: behaviour, FAKE_SSH_LOG: log, SSH_AUTH_SOCK: keys },
    };
  };
  wish();
  t.after(async () => {
    tunnel.close();
    await socketsGone(folder);
    for (const path of [folder, programs]) await rm(path, { recursive: true });
  });
  return {
    tunnel,
    folder,
    logins: async () => (await readFile(log, "utf8")).split("\n").length - 1,
    wish,
    connect: (connectTimeoutMs = 20_000, signal = never) =>
      connectThroughSsh({ tunnel, peer: "@build:1", connectTimeoutMs, signal }),
    get delayMs() {
      return due === undefined ? 0 : due.atMs - nowMs;
    },
    pass: (ms) => {
      nowMs += ms;
      if (due !== undefined && due.atMs <= nowMs) due.run();
    },
  };
}

/** The guard takes them away when everything has ended. */
async function socketsGone(folder: string): Promise<void> {
  const deadline = Date.now() + 20_000;
  while ((await readdir(folder)).length > 0) {
    if (Date.now() > deadline) throw new Error(`left: ${(await readdir(folder)).join(" ")}`);
    await new Promise(setImmediate);
  }
}

test("connections at once and one after the other share one ssh; each word of it is a sign of life", async (t) => {
  await using server = await startLoopbackServer();
  const scene = await createScene(t, server.port);
  let signs = 0;
  const first = await scene.tunnel.open(never, () => signs++);
  first.socket.destroy();
  assert.ok(signs >= 2, `${signs} signs`);
  const connections = await Promise.all([scene.connect(), scene.connect()]);
  for (const { welcome } of connections) assert.equal(welcome.server, "homccd 2.0.0");
  assert.equal(await scene.logins(), 1);
  assert.equal((await readdir(scene.folder)).length, 1, "the one that takes orders is gone");
  for (const { channel } of connections) await channel.close("done");
});

test("an ssh that died is replaced by the next connection", async (t) => {
  await using server = await startLoopbackServer();
  const scene = await createScene(t, server.port);
  const { socket, master } = await scene.tunnel.open(never);
  socket.destroy();
  master.end();
  await master.ended;
  const { channel } = await scene.connect();
  assert.equal(await scene.logins(), 2);
  await channel.close("done");
});

test("homccd that is not there has a reason of its own, and ssh stays", async (t) => {
  const server = await startLoopbackServer();
  const { port } = server;
  await server[Symbol.asyncDispose]();
  const scene = await createScene(t, port);
  for (const _ of [1, 2]) {
    await assert.rejects(scene.connect(), (error) => {
      assert.ok(error instanceof SshError);
      assert.deepEqual([error.stage, error.failure], ["homccd", "unreachable"]);
      assert.match(error.message, /nobody answers at port \d+ there: Connection refused/);
      return true;
    });
  }
  assert.equal(await scene.logins(), 1);
});

test("who was turned away rests, longer each time; other keys are tried at once", async (t) => {
  const scene = await createScene(t, 1);
  const turnedAway = (error: unknown): boolean =>
    error instanceof SshError &&
    error.isTurnedAway &&
    error.message === "ssh to build: me@build: Permission denied (publickey).";
  const expect = async (logins: number): Promise<void> => {
    await Promise.all([1, 2].map(() => assert.rejects(scene.connect(), turnedAway)));
    assert.equal(await scene.logins(), logins);
  };
  scene.wish({ behaviour: "denies" });
  await expect(1);
  scene.pass(59_000);
  await expect(1);
  scene.pass(1_000);
  await expect(2);
  scene.pass(119_000);
  await expect(2);
  scene.pass(1_000);
  await expect(3);
  scene.wish({ behaviour: "denies", keys: "/other" });
  await expect(4);
  scene.pass(15 * 60_000 - 1);
  scene.wish({ behaviour: "denies", keys: "/other" });
  await expect(5);
  await using server = await startLoopbackServer();
  const welcomed = await createScene(t, server.port);
  welcomed.wish({ behaviour: "denies" });
  await assert.rejects(welcomed.connect(), turnedAway);
  welcomed.wish({ keys: "/right" });
  await (await welcomed.connect()).channel.close("done");
});

test("a doubted ssh carries what it has, and the next connection brings another", async (t) => {
  await using server = await startLoopbackServer();
  const scene = await createScene(t, server.port);
  const old = await scene.tunnel.open(never);
  scene.tunnel.doubt(old.master);
  const successor = await scene.tunnel.open(never);
  assert.notEqual(successor.master, old.master);
  assert.equal(old.socket.destroyed, false);
  scene.tunnel.trust(old.master);
  const next = await scene.tunnel.open(never);
  assert.equal(next.master, successor.master, "it is in use");
  old.socket.destroy();
  await old.master.ended;
  assert.equal(await scene.logins(), 2);
});

test("a doubted ssh that is trusted again is used again, and the login of its successor ends", async (t) => {
  await using server = await startLoopbackServer();
  const scene = await createScene(t, server.port);
  const old = await scene.tunnel.open(never);
  scene.tunnel.doubt(old.master);
  scene.wish({ behaviour: "hangs" });
  const abort = new AbortController();
  const dial = scene.tunnel.open(abort.signal);
  scene.tunnel.trust(old.master);
  abort.abort(new Error("not needed"));
  await assert.rejects(dial);
  const next = await scene.tunnel.open(never);
  assert.equal(next.master, old.master);
  old.socket.destroy();
  next.socket.destroy();
  const last = await scene.tunnel.open(never);
  assert.equal(last.master, old.master, "it is not ended with its last connection any more");
});

test("ssh ends when nobody has used it for as long as is wished, whatever connections are open", async (t) => {
  await using server = await startLoopbackServer();
  const scene = await createScene(t, server.port);
  scene.wish({ persistMs: 600_000 });
  const { channel } = await scene.connect();
  assert.equal(scene.delayMs, 600_000);
  const job = scene.tunnel.use();
  const other = scene.tunnel.use();
  assert.equal(scene.delayMs, 0);
  job[Symbol.dispose]();
  job[Symbol.dispose]();
  assert.equal(scene.delayMs, 0);
  scene.wish({ persistMs: 5_000 });
  other[Symbol.dispose]();
  assert.equal(scene.delayMs, 5_000);
  scene.pass(5_000);
  await channel.closed;
  await socketsGone(scene.folder);
  scene.wish({ persistMs: 0 });
  await (await scene.connect()).channel.close("done");
  assert.equal(scene.delayMs, 0);
  assert.equal(await scene.logins(), 2);
});

test("a login that hangs ends at the time limit, and with the last who waits for it", async (t) => {
  const scene = await createScene(t, 1);
  scene.wish({ behaviour: "hangs" });
  await assert.rejects(scene.connect(300), /ssh to build was not up within 0\.3 s/);
  const [one, other] = [new AbortController(), new AbortController()];
  const [first, second] = [scene.connect(20_000, one.signal), scene.connect(20_000, other.signal)];
  one.abort(new Error("first"));
  await assert.rejects(first, /first/);
  other.abort(new Error("second"));
  await assert.rejects(second, /second/);
  assert.ok((await scene.logins()) <= 2);
});

test("what listens behind ssh and says nothing is not waited for twice through the same ssh", async (t) => {
  await using server = await startServer(() => {});
  const scene = await createScene(t, server.port);
  const silence = /ssh to build is up, but what listens at port \d+ there did not answer/;
  const warm = await scene.tunnel.open(never);
  warm.socket.destroy();
  await assert.rejects(scene.connect(500), silence);
  await warm.master.ended;
});

test("without a folder of the user's own nothing is started; after the end neither", async (t) => {
  const scene = await createScene(t, 1, false);
  await assert.rejects(scene.connect(), /cannot be made a folder of your own/);
  const closed = await createScene(t, 1);
  closed.tunnel.retire();
  await assert.rejects(closed.connect(), /not in the list of hosts any more/);
  assert.equal((await scene.logins()) + (await closed.logins()), 0);
});
