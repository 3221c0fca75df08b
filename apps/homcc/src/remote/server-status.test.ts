import assert from "node:assert/strict";
import { test } from "node:test";
import { HomccError } from "@homcc/observability/error";
import { connectionStatus } from "./server-status.ts";

const wallOf = (monotonicMs: number): number => Date.parse("2026-11-25T12:00:00.000Z") + monotonicMs;

test("each state of a connection has its status", () => {
  const description = {
    version: "homccd 2.0.0",
    executors: ["namespace"],
    serverSlots: 8,
    roundTripMs: 12.345,
  };
  const reason = new HomccError("ERR_HOMCC_UNAVAILABLE", "no connection", { hint: "wait" });
  assert.deepEqual(connectionStatus(undefined, wallOf), { state: "unused" });
  assert.deepEqual(connectionStatus({ kind: "untried" }, wallOf), { state: "unused" });
  assert.deepEqual(connectionStatus({ kind: "connecting", sinceMs: 0 }, wallOf), { state: "connecting" });
  assert.deepEqual(connectionStatus({ kind: "overdue", sinceMs: 1000 }, wallOf), {
    state: "connecting",
    reason: "no answer since 2026-11-25T12:00:01.000Z; jobs do not wait for it",
  });
  assert.deepEqual(connectionStatus({ kind: "resting", reason }, wallOf), {
    state: "unreachable",
    reason: "no connection (wait)",
  });
  assert.deepEqual(connectionStatus({ kind: "healthy", connection: { description } }, wallOf), {
    state: "connected",
    ...description,
    roundTripMs: 12.3,
  });
  assert.deepEqual(connectionStatus({ kind: "dead", sinceMs: 0, retryAtMs: 4000, reason }, wallOf), {
    state: "unreachable",
    reason: "no connection (wait)",
    nextTryAt: "2026-11-25T12:00:04.000Z",
  });
});
