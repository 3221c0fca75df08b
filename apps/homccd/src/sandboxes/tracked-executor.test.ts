import assert from "node:assert/strict";
import { test } from "node:test";
import type { Action } from "@homcc/cas/action";
import { digestOf } from "@homcc/cas/digest";
import type { ExecutorSession } from "@homcc/execution/executor";
import { hasCode } from "@homcc/observability/error";
import { actionResult } from "../served-client.fixture.ts";
import { TrackedExecutor } from "./tracked-executor.ts";

const action: Action = {
  toolchain: digestOf(new Uint8Array()),
  steps: [],
  cwd: "/",
  environment: {},
  umask: 0o022,
  terminal: {},
  inputs: [],
  absent: [],
  outputs: [],
  timeoutMs: 1000,
};
const { signal } = new AbortController();

function executorOf(session: ExecutorSession, isCurrent: () => boolean): TrackedExecutor {
  return new TrackedExecutor({ name: "docker", openSession: async () => session }, isCurrent);
}

test("what a job came to under which the sandbox ended is given back and is no result", async () => {
  let current = true;
  let disposed = 0;
  const tracked = executorOf(
    {
      execute: async () => ({ ...actionResult(), [Symbol.asyncDispose]: async () => void (disposed += 1) }),
      close: async () => {},
    },
    () => current,
  );
  const session = await tracked.openSession();
  assert.equal((await session.execute(action, signal)).termination.kind, "exited");
  assert.equal(disposed, 0);
  current = false;
  await assert.rejects(session.execute(action, signal), (error) => hasCode(error, "ERR_HOMCC_EXECUTOR"));
  assert.equal(disposed, 1);
});

test("all open sessions are closed at once, each once", async () => {
  let closed = 0;
  const session: ExecutorSession = {
    execute: async () => actionResult(),
    close: async () => void (closed += 1),
  };
  const tracked = executorOf(session, () => true);
  await (await tracked.openSession()).close();
  await Promise.all([tracked.openSession(), tracked.openSession()]);
  await tracked.closeSessions();
  assert.equal(closed, 3);
  await tracked.closeSessions();
  assert.equal(closed, 3);
});
