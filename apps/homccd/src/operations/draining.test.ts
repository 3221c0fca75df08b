import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import type { ActionResult } from "@homcc/cas/action";
import {
  Client,
  eventually,
  fileOf,
  gccOf,
  resultWriting,
  served,
  serveClient,
} from "../served-client.fixture.ts";

const source = Buffer.from("int x;\n");
const object = randomBytes(6 << 20);

/** Two slots that are taken, a job that waits for one, and one that waits for its inputs. */
async function busy(client: Client) {
  await client.upload(source);
  const running = [client.compile([fileOf(source)]), client.compile([fileOf(source)], { umask: 0o077 })];
  for (const job of running) await job.until("started");
  const queued = client.compile([fileOf(source)], { umask: 0o007 });
  await queued.until("queued");
  const incomplete = client.compile([fileOf(Buffer.from("missing"), "/w/b.c")]);
  await incomplete.until("missing");
  return { running, waiting: [queued, incomplete] };
}

for (const capabilities of [undefined, ["zstd", "delta", "history"]]) {
  const who = capabilities === undefined ? "a client" : "a client that knows no drain";
  test(`${who}: what runs is delivered, what waits or comes is refused, then the connection ends`, async (t) => {
    const finish = Promise.withResolvers<void>();
    const execute = async (): Promise<ActionResult> => {
      await finish.promise;
      return await resultWriting("/w/a.o", object);
    };
    const options = capabilities === undefined ? {} : { capabilities };
    await served(t, { slots: 2, execute, ...options }, async (client, session) => {
      const { running, waiting } = await busy(client);
      const heard: string[] = [];
      session.client.onDrain((drain) => heard.push(drain));
      const drained = session.drain("returning");
      for (const job of waiting) assert.equal((await job.until("refused")).reason, "shutting-down");
      assert.deepEqual(heard, capabilities === undefined ? ["returning"] : []);
      assert.equal((await client.compile([fileOf(source)]).until("refused")).reason, "shutting-down");
      assert.ok(session.client.isOpen);
      finish.resolve();
      for (const job of running) {
        await job.ended;
        assert.ok(job.bytes().equals(object));
      }
      await drained;
      // One that heard of it ends the connection itself.
      if (capabilities === undefined) await session.client.close("no more jobs");
      await session.ended;
      assert.equal(session.executed.length, 2);
      await eventually("nothing is left", () => session.services.slots.held + session.openResults() === 0);
      await session.client.closed;
      if (capabilities !== undefined) assert.ok(session.client.isLost, "it looks for the next one");
    });
  });
}

test("a client that is not coming back is told goodbye", async (t) => {
  await served(t, { capabilities: ["zstd"] }, async (_client, session) => {
    await session.drain("leaving");
    await session.ended;
    assert.equal(session.client.isLost, false);
    assert.match((await session.client.closed).message, /homccd is ending/);
  });
});

test("what a lost client had begun is not waited for", async (t) => {
  const toolchain = await gccOf(t);
  if (toolchain === undefined) return;
  for (const isLostBefore of [true, false]) {
    let running = 0;
    await using session = await serveClient({
      execute: (_, signal) =>
        new Promise((_resolve, reject) => {
          running += 1;
          signal.addEventListener("abort", () => {
            running -= 1;
            reject(signal.reason);
          });
        }),
    });
    const client = new Client(session.client, toolchain);
    await client.upload(source);
    await client.compile([fileOf(source)]).until("started");
    if (!isLostBefore) void session.drain("returning");
    session.cut();
    await eventually("the server knows", () => !session.server.isOpen);
    if (isLostBefore) {
      assert.equal(running, 1);
      void session.drain("returning");
    }
    await session.ended;
    assert.equal(running, 0);
  }
});
