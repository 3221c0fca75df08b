import assert from "node:assert/strict";
import { test } from "node:test";
import type { Executor } from "@homcc/execution/executor";
import { V1Sessions } from "./executor-sessions.ts";

function countingExecutor(): Executor & { opened: number; closed: number } {
  const executor = {
    name: "namespace",
    opened: 0,
    closed: 0,
    openSession() {
      executor.opened += 1;
      return Promise.resolve({
        execute: () => assert.fail("nothing runs here"),
        close: () => {
          executor.closed += 1;
          return Promise.resolve();
        },
      });
    },
  };
  return executor;
}

test("jobs of one machine share a session, those of another one have their own", async () => {
  const executor = countingExecutor();
  const sessions = new V1Sessions(executor);
  {
    await using one = await sessions.use("10.0.0.1");
    await using same = await sessions.use("10.0.0.1");
    await using other = await sessions.use("10.0.0.2");
    one.seenPaths.add("/a");
    assert.deepEqual([same.seenPaths.size, other.seenPaths.size], [1, 0]);
  }
  assert.deepEqual([executor.opened, executor.closed], [2, 0]);
  await sessions.close();
  assert.equal(executor.closed, 2);
});

test("a machine that is silent for a minute has no session any more", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const executor = countingExecutor();
  const sessions = new V1Sessions(executor);
  await (await sessions.use("10.0.0.1"))[Symbol.asyncDispose]();
  t.mock.timers.tick(59_999);
  await (await sessions.use("10.0.0.1"))[Symbol.asyncDispose]();
  t.mock.timers.tick(59_999);
  assert.equal(executor.opened, 1);
  t.mock.timers.tick(1);
  await new Promise(setImmediate);
  assert.equal(executor.closed, 1);
  await (await sessions.use("10.0.0.1"))[Symbol.asyncDispose]();
  assert.equal(executor.opened, 2);
});
