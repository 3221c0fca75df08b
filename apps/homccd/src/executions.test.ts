import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import type { Action, ActionResult } from "@homcc/cas/action";
import { digestOf } from "@homcc/cas/digest";
import type { Toolchain } from "@homcc/compiler/toolchain";
import { Executions } from "./executions.ts";
import {
  actionResult,
  Client,
  eventually,
  fileOf,
  gccOf,
  resultWriting,
  type Served,
  type ServedOptions,
  serveClient,
} from "./served-client.fixture.ts";

const source = Buffer.from("int x;\n");
const object = randomBytes(100_000);

/** Executions that end when the test says so. */
class Compilers {
  readonly #running = new Set<(result: ActionResult) => void>();

  readonly execute: NonNullable<ServedOptions["execute"]> = (_action, signal) =>
    new Promise((resolve, reject) => {
      this.#running.add(resolve);
      signal.addEventListener("abort", () => {
        this.#running.delete(resolve);
        reject(signal.reason);
      });
    });

  get running(): number {
    return this.#running.size;
  }

  async finish(): Promise<void> {
    for (const resolve of this.#running) resolve(await resultWriting("/w/a.o", object));
    this.#running.clear();
  }
}

async function clientOf(session: Served, toolchain: Toolchain): Promise<Client> {
  const client = new Client(session.client, toolchain);
  await client.upload(source);
  return client;
}

async function assertNothingLeft(...sessions: readonly Served[]): Promise<void> {
  await eventually("all is given back", () =>
    sessions.every(
      ({ services, store, openResults }) => store.pins + services.slots.held + openResults() === 0,
    ),
  );
}

test("a client whose line dropped gets what it had begun; nothing is compiled twice", async (t) => {
  const toolchain = await gccOf(t);
  if (toolchain === undefined) return;
  const compilers = new Compilers();
  await using before = await serveClient({ execute: compilers.execute, slots: 1 });
  await (await clientOf(before, toolchain)).compile([fileOf(source)]).until("started");
  before.cut();
  await eventually("the server knows", () => !before.server.isOpen);
  assert.equal(compilers.running, 1);
  assert.equal(before.services.slots.held, 1, "it counts as any other");
  await using after = await serveClient({ sharing: before });
  const job = (await clientOf(after, toolchain)).compile([fileOf(source)]);
  await job.until("started");
  await compilers.finish();
  await job.ended;
  assert.deepEqual(job.bytes(), object);
  assert.deepEqual([before.executed.length, after.executed.length], [1, 0]);
});

test("a result that was not received, or not wholly, is still there", async (t) => {
  const toolchain = await gccOf(t);
  if (toolchain === undefined) return;
  const large = randomBytes(32 << 20);
  await using before = await serveClient({ execute: () => resultWriting("/w/a.o", large) });
  await (await clientOf(before, toolchain)).compile([fileOf(source)]).until("result");
  before.cut();
  await eventually("the server knows", () => !before.server.isOpen);
  await using after = await serveClient({ sharing: before });
  const job = (await clientOf(after, toolchain)).compile([fileOf(source)]);
  await job.ended;
  assert.ok(job.bytes().equals(large));
  assert.deepEqual([before.executed.length, after.executed.length], [1, 0]);
});

test("a client that stays away: its compiler is killed after the grace, its result goes", async (t) => {
  const toolchain = await gccOf(t);
  if (toolchain === undefined) return;
  for (const isFinished of [false, true]) {
    const compilers = new Compilers();
    await using session = await serveClient({ execute: compilers.execute, lostClientGraceMs: 200 });
    await (await clientOf(session, toolchain)).compile([fileOf(source)]).until("started");
    session.cut();
    await eventually("the server knows", () => !session.server.isOpen);
    assert.equal(compilers.running, 1);
    if (isFinished) await compilers.finish();
    await session.ended;
    assert.equal(compilers.running, 0);
    assert.ok(session.executorClosed());
    await assertNothingLeft(session);
  }
});

test("who says goodbye or cancels means it", async (t) => {
  const toolchain = await gccOf(t);
  if (toolchain === undefined) return;
  const compilers = new Compilers();
  await using session = await serveClient({ execute: compilers.execute });
  const client = await clientOf(session, toolchain);
  const cancelled = client.compile([fileOf(source)]);
  await cancelled.until("started");
  client.cancel(cancelled);
  await eventually("it is killed", () => compilers.running === 0);
  await client.compile([fileOf(source)]).until("started");
  await session.client.close("done");
  await session.ended;
  assert.equal(compilers.running, 0);
  await assertNothingLeft(session);
});

test("what did not run yet when the line dropped does not begin", async (t) => {
  const toolchain = await gccOf(t);
  if (toolchain === undefined) return;
  const compilers = new Compilers();
  await using session = await serveClient({
    execute: compilers.execute,
    slots: 1,
    lostClientGraceMs: 300,
  });
  const client = await clientOf(session, toolchain);
  await client.compile([fileOf(source)]).until("started");
  await client.compile([fileOf(source)], { cwd: "/w/x" }).until("queued");
  await client.compile([fileOf(Buffer.from("missing"), "/w/b.c")]).until("missing");
  session.cut();
  await eventually("the server knows", () => !session.server.isOpen);
  await eventually("nobody waits", () => session.services.slots.waiting === 0 && session.store.pins === 2);
  await session.ended;
  assert.equal(session.executed.length, 1);
  await assertNothingLeft(session);
});

test("two clients that want the same at once wait for one compiler; the first may leave", async (t) => {
  const toolchain = await gccOf(t);
  if (toolchain === undefined) return;
  const compilers = new Compilers();
  await using first = await serveClient({ execute: compilers.execute });
  await using second = await serveClient({ sharing: first, execute: compilers.execute });
  const [one, other] = [await clientOf(first, toolchain), await clientOf(second, toolchain)];
  const begun = one.compile([fileOf(source)]);
  await begun.until("started");
  const joined = other.compile([fileOf(source)]);
  await joined.until("started");
  assert.equal(compilers.running, 1);
  one.cancel(begun);
  await first.client.close("done");
  await eventually("the server knows", () => !first.server.isOpen);
  await compilers.finish();
  await joined.ended;
  assert.deepEqual(joined.bytes(), object);
  await first.ended;
  await assertNothingLeft(first, second);
});

test("anything that could show makes it another one", async (t) => {
  const toolchain = await gccOf(t);
  if (toolchain === undefined) return;
  const compilers = new Compilers();
  await using first = await serveClient({ execute: compilers.execute, slots: 20 });
  await using second = await serveClient({ sharing: first, execute: compilers.execute });
  const [one, other] = [await clientOf(first, toolchain), await clientOf(second, toolchain)];
  await one.compile([fileOf(source)]).until("started");
  const environment = { PATH: "/usr/bin:/bin" };
  const jobs = [
    other.compile([{ ...fileOf(source), mtimeNs: 2n }]),
    other.compile([fileOf(source)], { umask: 0o077 }),
    other.compile([fileOf(source)], { environment: { ...environment, LANG: "de_DE.UTF-8" } }),
    other.compile([fileOf(source)], { environment: { ...environment, SOURCE_DATE_EPOCH: "1" } }),
    other.compile([fileOf(source)], { outputs: [{ path: "/w/a.o", exists: true }] }),
    other.compile([fileOf(source)], { terminal: { stderr: { columns: 80, rows: 24 } } }),
  ];
  await Promise.all(jobs.map((job) => job.until("started")));
  assert.equal(compilers.running, 1 + jobs.length);
});

test("a failure is everybody's who waited, and nobody's who comes later", async (t) => {
  const toolchain = await gccOf(t);
  if (toolchain === undefined) return;
  const failing = Promise.withResolvers<ActionResult>();
  await using first = await serveClient({ execute: () => failing.promise });
  await using second = await serveClient({
    sharing: first,
    execute: () => Promise.resolve(actionResult()),
  });
  const [one, other] = [await clientOf(first, toolchain), await clientOf(second, toolchain)];
  const begun = one.compile([fileOf(source)]);
  await begun.until("started");
  const joined = other.compile([fileOf(source)]);
  await joined.until("started");
  failing.reject(new Error("broken"));
  assert.equal((await begun.until("refused")).reason, "executor-failed");
  assert.equal((await joined.until("refused")).reason, "executor-failed");
  await other.compile([fileOf(source)]).until("result");
});

test("one that is held while somebody looks for a kept result can still be joined when its own job is through with it", async () => {
  const action: Action = {
    toolchain: digestOf(source),
    steps: [{ program: "/usr/bin/gcc", argv: ["gcc", "-c", "a.c"] }],
    cwd: "/w",
    environment: {},
    umask: 0o022,
    terminal: {},
    inputs: [{ kind: "file", path: "/w/a.c", digest: digestOf(source), mtimeNs: 1n }],
    absent: [],
    outputs: [{ path: "/w/a.o", exists: false }],
    timeoutMs: 1000,
  };
  const executions = new Executions();
  const [first, second] = [{}, {}];
  let begun = 0;
  let disposed = 0;
  const result = actionResult({
    [Symbol.asyncDispose]: () => {
      disposed += 1;
      return Promise.resolve();
    },
  });
  const begin = () => {
    begun += 1;
    return Promise.resolve({ result, report: { executor: "namespace" as const, localeKnown: true } });
  };
  const { signal } = new AbortController();
  assert.equal(executions.hold(second, action, "here"), undefined);
  {
    await using share = executions.join(first, action, "here", begin);
    await share.result(signal);
    assert.equal(
      executions.hold(first, action, "here"),
      undefined,
      "jobs of one connection never join each other",
    );
    const held = executions.hold(second, action, "here");
    assert.ok(held !== undefined);
    await share[Symbol.asyncDispose]();
    await using joined = executions.join(second, action, "here", begin);
    await held[Symbol.asyncDispose]();
    assert.equal((await joined.result(signal)).result, result);
    assert.deepEqual([begun, disposed], [1, 0]);
  }
  assert.equal(disposed, 1);
});
